/**
 * Replication slots of the running server. The leader has one for each member and each permanent one; a standby that may
 * lead has the physical ones too, and moves them along, so that they are there, and hold little, when it leads. Any standby
 * has those of members that are told to stream from it, whose slot the leader moves along meanwhile.
 *
 * Never moved: a slot in use, backwards, or beyond what this server has replayed or its user has (slot-plan.ts). Never
 * dropped: what was neither a member's nor in the configuration as far as this agent knows.
 */
import { isRecord, parseJson, wholeNumber } from '../base/index.ts';
import type { SlotStatus } from '../postgres/index.ts';
import { type ClusterView, slotNameOf } from '../topology/index.ts';
import { cascading } from './cascade.ts';
import type { AgentContext } from './context.ts';
import { refreshStatus } from './look.ts';
import { standingOf } from './peers.ts';
import { type PermanentSlots, permanentSlots } from './permanent-slots.ts';
import { planSlots } from './slot-plan.ts';

/** As Patroni's `member_slots_ttl`: a member that is away for longer must be cloned or catch up from elsewhere. */
const SLOT_RETENTION_MS = 30 * 60_000;

/** What the key `status` says of slots, in Patroni's words. */
export interface PublishedSlots {
  /** Positions of permanent physical slots, bytes. */
  readonly slots: Readonly<Record<string, number>>;
  /** Slots of members, those that are away included. */
  readonly retain_slots: readonly string[];
}

export class SlotKeeper {
  /** When the member of each slot was last there; kept as long as the slot is. */
  readonly #lastSeen = new Map<string, number>();
  /** Permanent slots that the configuration has had in this life. */
  readonly #permanent = new Set<string>();
  #shared = '';
  #endangered = '';
  #unreadable = '';

  /** Of a running primary that leads, or of a running standby. */
  async keep(ctx: AgentContext, as: 'primary' | 'standby'): Promise<void> {
    const { state, config, pg, log, clock } = ctx;
    const { view, status } = state;
    if (status === undefined) return;
    const others = [...view.members.keys()].filter((name) => name !== config.name);
    const permanent = this.#permanentSlots(ctx);
    const { slots: positions, retain_slots: retained } = publishedSlots(ctx);
    this.#see(others, retained, status.slots, clock.now());
    this.#tellShared(others, ctx);
    this.#tellEndangered(status.slots, ctx);
    const mayLead = as === 'primary' || isEligible(ctx);
    const sources = cascading(view.members.values());
    const wanted = new Map<string, number | undefined>();
    if (mayLead) for (const name of permanent.physical) wanted.set(name, positions[name]);
    for (const name of others)
      if (mayLead || sources.get(name) === config.name) wanted.set(slotNameOf(name), positionOf(view, name));
    const unused = others.filter((name) => (sources.get(name) ?? config.name) !== config.name);
    const plan = planSlots({
      as,
      there: status.slots,
      wanted,
      retained: mayLead ? this.#retained(clock.now()) : new Set(),
      known: new Set([...this.#lastSeen.keys(), ...this.#permanent]),
      unused: new Set(unused.map(slotNameOf)),
      logical: permanent.logical,
      ownLsn: as === 'primary' ? status.flushLsn : status.replayLsn,
    });
    for (const name of this.#lastSeen.keys())
      if (!this.#isRetained(name, clock.now()) && !status.slots.some((slot) => slot.name === name))
        this.#lastSeen.delete(name);
    if (plan === undefined) return;
    const changed = await pg.ensureSlots(plan);
    if (changed.created.length + changed.dropped.length > 0) log.info('slots-changed', changed);
    await refreshStatus(ctx);
  }

  /** For the key `status`. */
  published({ state }: AgentContext): PublishedSlots {
    const there = state.status?.slots ?? [];
    const known = there.filter((slot) => slot.type === 'physical' && slot.restartLsn !== undefined);
    return {
      slots: Object.fromEntries(
        known.flatMap(({ name, restartLsn }) =>
          this.#permanent.has(name) && restartLsn !== undefined ? [[name, restartLsn]] : [],
        ),
      ),
      retain_slots: there
        .filter((slot) => slot.type === 'physical' && this.#lastSeen.has(slot.name))
        .map((slot) => slot.name)
        .sort(),
    };
  }

  /** Members that are there, and slots of those that were away before this agent began: it is as if they had just left. */
  #see(
    others: readonly string[],
    retained: readonly string[],
    there: readonly SlotStatus[],
    now: number,
  ): void {
    for (const name of others) this.#lastSeen.set(slotNameOf(name), now);
    for (const name of retained)
      if (!this.#lastSeen.has(name) && there.some((slot) => slot.name === name))
        this.#lastSeen.set(name, now);
  }

  #isRetained(name: string, now: number): boolean {
    return now - (this.#lastSeen.get(name) ?? Number.NEGATIVE_INFINITY) < SLOT_RETENTION_MS;
  }

  #retained(now: number): ReadonlySet<string> {
    return new Set([...this.#lastSeen.keys()].filter((name) => this.#isRetained(name, now)));
  }

  #permanentSlots({ state, config, log }: AgentContext): PermanentSlots {
    const found = permanentSlots(state.view.config?.value ?? {}, slotNameOf(config.name));
    for (const name of found.physical) this.#permanent.add(name);
    const text = found.unreadable.join(', ');
    if (text !== '' && text !== this.#unreadable) log.warn('permanent-slots-unreadable', { slots: text });
    this.#unreadable = text;
    return found;
  }

  /** Whoever uses one of these is about to lose its place in the WAL, or has lost it. Told when it begins. */
  #tellEndangered(there: readonly SlotStatus[], { log }: AgentContext): void {
    const endangered = there.filter(({ walStatus }) => walStatus === 'unreserved' || walStatus === 'lost');
    const text = endangered.map(({ name, walStatus }) => `${name} (${walStatus})`).join(', ');
    if (text !== '' && text !== this.#endangered) log.warn('slots-endangered', { slots: text });
    this.#endangered = text;
  }

  /** Two members whose names make one slot name: only one of them can stream. Told when it begins. */
  #tellShared(names: readonly string[], { log }: AgentContext): void {
    const shared = names.filter((name) =>
      names.some((one) => one !== name && slotNameOf(one) === slotNameOf(name)),
    );
    const text = shared.join(', ');
    if (text !== '' && text !== this.#shared) log.warn('slot-name-shared', { members: shared });
    this.#shared = text;
  }
}

/** A standby that never leads need not keep WAL for the others. */
function isEligible({ config, tags }: AgentContext): boolean {
  const { isNofailover, priority } = standingOf(config.name, tags, undefined);
  return !isNofailover && priority > 0;
}

/** How far a member has come, by its own word; the leader by the newer of its two. */
function positionOf(view: ClusterView, name: string): number | undefined {
  const own = view.members.get(name)?.lsn;
  return name === view.leader ? Math.max(own ?? 0, view.optime ?? 0) || undefined : own;
}

function publishedSlots({ state, layout }: AgentContext): PublishedSlots {
  const json = parseJson(state.view.entries.get(layout.status)?.value ?? '');
  const { slots, retain_slots: retained } = isRecord(json) ? json : {};
  return {
    slots: Object.fromEntries(
      Object.entries(isRecord(slots) ? slots : {}).flatMap(([name, value]) => {
        const lsn = wholeNumber(value);
        return lsn === undefined ? [] : [[name, lsn]];
      }),
    ),
    retain_slots: Array.isArray(retained) ? retained.filter((name) => typeof name === 'string') : [],
  };
}
