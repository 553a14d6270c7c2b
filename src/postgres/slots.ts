/**
 * Replication slots of the running server: drops what it is told to and nobody uses, makes what is missing, moves what lags. Others
 * do the same at the same time (a member that clones makes its slot here itself), so a slot that came or went since it was
 * looked for is as good as one that we made or dropped.
 */
import { type Ask, refused } from './session.ts';
import type { SlotChanges } from './types.ts';

const DUPLICATE_OBJECT = '42710';
const UNDEFINED_OBJECT = '42704';
const OBJECT_IN_USE = '55006';
const OBJECT_NOT_IN_PREREQUISITE_STATE = '55000';

export interface SlotsChanged {
  readonly created: readonly string[];
  readonly dropped: readonly string[];
}

export async function changeSlots(ask: Ask, changes: SlotChanges): Promise<SlotsChanged> {
  const rows = await ask('SELECT slot_name AS name, slot_type AS type, active FROM pg_replication_slots');
  const known = new Map(rows.map((row) => [String(row['name']), row]));
  const dropped: string[] = [];
  const dropIdle = async (name: string, type: 'physical' | 'logical'): Promise<void> => {
    const slot = known.get(name);
    if (slot?.['type'] !== type || slot['active'] !== false) return;
    if (!(await dropSlot(ask, name))) return;
    dropped.push(name);
    known.delete(name);
  };
  const { ensure, drop = [], remake = [], advance = [], dropLogical = [] } = changes;
  for (const name of new Set([...drop.filter((one) => !ensure.includes(one)), ...remake]))
    await dropIdle(name, 'physical');
  for (const name of new Set(dropLogical)) await dropIdle(name, 'logical');
  const created: string[] = [];
  for (const name of new Set(ensure)) {
    if (!known.has(name) && (await createSlot(ask, name))) created.push(name);
  }
  for (const { name, lsn } of advance) await advanceSlot(ask, name, lsn);
  return { created, dropped };
}

/** In a session of the slot's own database. False when somebody else was faster. */
export async function createLogicalSlot(ask: Ask, name: string, plugin: string): Promise<boolean> {
  const work = ask('SELECT pg_create_logical_replication_slot($1, $2)', [name, plugin]);
  return unlessRefused(work, [DUPLICATE_OBJECT]);
}

/** The same over a replication connection, as a member that is to be cloned asks for it. Its name must be a slot's. */
export async function ensureSlotByCommand(ask: Ask, name: string): Promise<void> {
  const known = await ask(`READ_REPLICATION_SLOT "${name}"`);
  if (known[0]?.['slot_type'] === 'physical') return;
  await unlessRefused(ask(`CREATE_REPLICATION_SLOT "${name}" PHYSICAL (RESERVE_WAL true)`), [
    DUPLICATE_OBJECT,
  ]);
}

/** False when somebody else was faster. */
async function createSlot(ask: Ask, name: string): Promise<boolean> {
  const work = ask('SELECT pg_create_physical_replication_slot($1, true)', [name]);
  return unlessRefused(work, [DUPLICATE_OBJECT]);
}

/** Left as it is where it is in use again, gone, or farther already. */
async function advanceSlot(ask: Ask, name: string, lsn: number): Promise<void> {
  const to = `${Math.floor(lsn / 2 ** 32).toString(16)}/${(lsn % 2 ** 32).toString(16)}`;
  const work = ask('SELECT pg_replication_slot_advance($1, $2::pg_lsn)', [name, to]);
  await unlessRefused(work, [UNDEFINED_OBJECT, OBJECT_IN_USE, OBJECT_NOT_IN_PREREQUISITE_STATE]);
}

/** False when it is gone already, or in use again. */
async function dropSlot(ask: Ask, name: string): Promise<boolean> {
  const work = ask('SELECT pg_drop_replication_slot($1)', [name]);
  return unlessRefused(work, [UNDEFINED_OBJECT, OBJECT_IN_USE]);
}

async function unlessRefused(work: Promise<unknown>, sqlstates: readonly string[]): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (cause) {
    if (refused(cause, sqlstates)) return false;
    throw cause;
  }
}
