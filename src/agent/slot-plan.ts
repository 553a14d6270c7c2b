/** What is to be done about the slots of one server, as a value. Which rules, and why: slots.ts. Pure. */
import type { SlotChanges, SlotStatus } from '../postgres/index.ts';
import type { LogicalSlot } from './permanent-slots.ts';

/** WAL is kept by the file; a slot that has not moved by so much holds no more of it. */
const SEGMENT_BYTES = 16 * 1024 * 1024;

export interface SlotFacts {
  readonly as: 'primary' | 'standby';
  readonly there: readonly SlotStatus[];
  /** Physical slots that must be, with the position of who uses each, where that is known. */
  readonly wanted: ReadonlyMap<string, number | undefined>;
  /** Slots of members, those included that have not been away for long. */
  readonly retained: ReadonlySet<string>;
  /** All that is, or was, a member's or permanent: nothing else is dropped. */
  readonly known: ReadonlySet<string>;
  /** Slots of members that stream from elsewhere: they move by what those say only, and not by use. */
  readonly unused: ReadonlySet<string>;
  /** Permanent logical slots. */
  readonly logical: readonly LogicalSlot[];
  /** How far this server has come: flushed as a primary, replayed as a standby. */
  readonly ownLsn: number | undefined;
}

/** Undefined when all is as it should be. */
export function planSlots(facts: SlotFacts): SlotChanges | undefined {
  const { as, there, wanted, retained, known, logical } = facts;
  const idle = there.filter((slot) => slot.type === 'physical' && !slot.active);
  const remake = idle.filter((slot) => wanted.has(slot.name) && isUseless(slot, as)).map(({ name }) => name);
  const drop = idle
    .filter(({ name }) => known.has(name) && !wanted.has(name) && !retained.has(name))
    .map(({ name }) => name);
  const isThere = (name: string): boolean => there.some((slot) => slot.name === name);
  const isMissing = [...wanted.keys()].some((name) => !isThere(name));
  const missing = as === 'primary' ? logical.filter(({ name }) => !isThere(name)) : [];
  // A copy of a logical slot from when this server led: what it would decode from is not kept for it here.
  const outdated =
    as === 'standby'
      ? there
          .filter(
            (slot) =>
              slot.type === 'logical' &&
              !slot.active &&
              !slot.isFailover &&
              logical.some(({ name }) => name === slot.name),
          )
          .map(({ name }) => name)
      : [];
  const advance = moves(facts, idle, remake);
  if (!isMissing && missing.length + outdated.length + drop.length + remake.length + advance.length === 0)
    return undefined;
  return { ensure: [...wanted.keys()], drop, remake, advance, logical: missing, dropLogical: outdated };
}

/** It has lost its WAL, or never had any. On a standby also one that holds back rows: it is from when the server led. */
function isUseless({ walStatus, restartLsn, holdsXmin }: SlotStatus, as: SlotFacts['as']): boolean {
  return walStatus === 'lost' || restartLsn === undefined || (as === 'standby' && holdsXmin);
}

function moves(
  { as, wanted, unused, ownLsn }: SlotFacts,
  idle: readonly SlotStatus[],
  remake: readonly string[],
): readonly { readonly name: string; readonly lsn: number }[] {
  return idle.flatMap(({ name, restartLsn }) => {
    const position = wanted.get(name);
    if (position === undefined || restartLsn === undefined || remake.includes(name)) return [];
    // A primary's idle slot is that of somebody who comes back for its WAL.
    if (as === 'primary' && !unused.has(name)) return [];
    const lsn = Math.min(position, ownLsn ?? 0);
    return fileOf(lsn) > fileOf(restartLsn) ? [{ name, lsn }] : [];
  });
}

const fileOf = (lsn: number): number => Math.floor(lsn / SEGMENT_BYTES);
