/**
 * The leader's part of failsafe (rules and reasons: ha/failsafe.ts): it keeps the key `failsafe` while the store is there, and asks
 * the members for pledges while its lease is not confirmed. What comes of a round goes to the lease keeper.
 */
import { background } from '../base/index.ts';
import { type Compare, DcsError, type KeyValue, unchanged } from '../dcs/index.ts';
import {
  type FailsafeList,
  type FailsafeLists,
  haveAllBeenAsked,
  isListSettled,
  listConfirmed,
  listSent,
  type Member,
  noLists,
  pledgedByAll,
  renderFailsafe,
  whomToAsk,
} from '../ha/index.ts';
import { isFailsafeMode } from '../topology/index.ts';
import { type AgentContext, clusterNumber } from './context.ts';
import { memberJson } from './member-key.ts';
import { localServer } from './observe.ts';
import type { Pledge } from './peers.ts';

const CALL_MS = 1000;
/** A lease that has not been confirmed for so many periods of the keep-alive is not waited for any longer. */
const PATIENCE = 1.5;
/** A round may take so much of the life of a lease: some more fit in before the deadline. */
const ASK_PART = 0.2;
/** Patroni's default. */
const PATRONI_TTL_SECONDS = 30;

export class Failsafe {
  readonly #ctx: AgentContext;
  #lists: FailsafeLists = noLists;
  /** The reign that the lists are of. */
  #reign: number | undefined;
  #isAsking = false;
  #told = '';

  constructor(ctx: AgentContext) {
    this.#ctx = ctx;
    ctx.keeper.whenUnconfirmed(() => this.ask());
  }

  /** Asks, if the lease has not been confirmed for too long. */
  due(): void {
    const { keeper, config } = this.#ctx;
    if (keeper.isHolder && keeper.unconfirmedMs > PATIENCE * config.lease.keep_alive) this.ask();
  }

  /** A duty of the leader: the key lists the members while the mode is on, and is gone while it is off. */
  async keepKey(): Promise<void> {
    const { state, keeper, layout } = this.#ctx;
    this.#beginReign();
    const isOn = isFailsafeMode(this.#ctx.state.view);
    if (!isOn) this.#lists = noLists;
    const held = keeper.heldSince;
    // Whoever is let in by a change of the key has not pledged: only under the lease itself.
    if (held === undefined || keeper.isFailsafe) return;
    const seen = state.view.entries.get(layout.failsafe);
    if (!isOn) {
      if (seen !== undefined) await this.#delete(held, seen);
      return;
    }
    const list = this.#wanted();
    const isSeen =
      state.view.revision < (this.#lists.confirmedAt ?? 0) || seen?.modRevision === this.#lists.confirmedAt;
    if (!isListSettled(this.#lists, list) || !isSeen) await this.#write(held, list);
  }

  /** All members that are known, and this one; those without a REST API cannot pledge, so they may not race. */
  #wanted(): FailsafeList {
    const { state, config } = this.#ctx;
    const others = [...state.view.members.values()].filter(({ apiUrl }) => apiUrl !== '');
    return new Map([
      ...others.map(({ name, apiUrl }) => [name, apiUrl] as const),
      [config.name, memberJson(this.#ctx).api_url],
    ]);
  }

  async #write(held: number, list: FailsafeList): Promise<void> {
    const { dcs, layout, log, keeper } = this.#ctx;
    const entry = await dcs.get(layout.failsafe, { timeoutMs: CALL_MS });
    // What stands is of somebody else: it may list whom we do not know of.
    if (!this.#lists.mayStand.some((one) => renderFailsafe(one) === entry?.value)) this.#lists = noLists;
    if (keeper.heldSince !== held || keeper.isFailsafe) return;
    const value = renderFailsafe(list);
    const before = this.#lists;
    const sent = listSent(before, list);
    this.#lists = sent;
    try {
      const result = await dcs.transact(
        { when: this.#guards(held, entry), then: [{ op: 'put', key: layout.failsafe, value }] },
        { timeoutMs: CALL_MS },
      );
      if (this.#lists !== sent) return;
      this.#lists = result.outcome === 'applied' ? listConfirmed(list, result.revision) : noLists;
      if (result.outcome === 'applied') log.info('failsafe-listed', { members: [...list.keys()] });
    } catch (cause) {
      if (cause instanceof DcsError && cause.outcome !== 'unknown' && this.#lists === sent)
        this.#lists = before;
      throw cause;
    }
  }

  async #delete(held: number, seen: KeyValue): Promise<void> {
    const { dcs, layout } = this.#ctx;
    await dcs.transact(
      { when: this.#guards(held, seen), then: [{ op: 'delete', key: layout.failsafe }] },
      { timeoutMs: CALL_MS },
    );
  }

  /** Of this term, and on what was seen: a write that is late changes nothing that is newer. */
  #guards(held: number, seen: KeyValue | undefined): readonly Compare[] {
    const { leader, failsafe } = this.#ctx.layout;
    return [{ key: leader, is: 'mod-revision', modRevision: held }, unchanged(failsafe, seen?.modRevision)];
  }

  #beginReign(): void {
    const { reign } = this.#ctx.keeper;
    if (reign === this.#reign) return;
    this.#reign = reign;
    this.#lists = noLists;
  }

  /** One round, unless one is under way or failsafe is not to be used. */
  ask(): void {
    if (this.#isAsking) return;
    const members = this.#whom();
    if (members === undefined) return;
    this.#isAsking = true;
    const round = this.#round(members).finally(() => {
      this.#isAsking = false;
    });
    background(this.#ctx.log, 'failsafe round', round);
  }

  /** Those whose pledges are needed; only for a running primary that goes on: for another one nobody should wait. */
  #whom(): readonly Member[] | undefined {
    const { state, keeper, jobs, config } = this.#ctx;
    this.#beginReign();
    const { process, role } = localServer(state);
    const isLeading = keeper.isHolder && process === 'running' && role === 'primary';
    if (!isLeading || jobs.running !== undefined || state.isStopping || !isFailsafeMode(this.#ctx.state.view))
      return undefined;
    return whomToAsk(this.#lists, config.name);
  }

  async #round(members: readonly Member[]): Promise<void> {
    const { clock, keeper, peers, config, log } = this.#ctx;
    const { ttl } = config.lease;
    const reign = this.#reign;
    const body = this.#body();
    const sentAt = clock.now();
    const pledges = await Promise.all(members.map((member) => peers.pledge(member, body, ASK_PART * ttl)));
    const forMs = pledgedByAll(
      pledges.map((pledge) => this.#lengthOf(pledge)),
      ttl,
    );
    if (forMs === undefined) {
      const missing = members.filter((_, index) => pledges[index]?.isPledged !== true);
      const refusals = pledges.flatMap((pledge) => (pledge?.isPledged === false ? [pledge.text] : []));
      this.#tell('failsafe-refused', { by: missing.map(({ name }) => name), refusals });
      return;
    }
    if (keeper.reign !== reign || !haveAllBeenAsked(members, this.#whom())) return;
    if (keeper.cover(sentAt, forMs) && keeper.isFailsafe)
      this.#tell('failsafe-active', { by: members.map(({ name }) => name) });
    else log.debug('failsafe-round-void', {});
  }

  /** A member that does not say for how long does as Patroni does: for the cluster's `ttl`. */
  #lengthOf(pledge: Pledge | undefined): number | undefined {
    if (pledge?.isPledged !== true) return undefined;
    return pledge.forMs ?? 1000 * clusterNumber(this.#ctx.state.view, 'ttl', PATRONI_TTL_SECONDS);
  }

  /** As Patroni's; the identifier is ours. */
  #body(): Readonly<Record<string, unknown>> {
    const { conn_url: connUrl, api_url: apiUrl } = memberJson(this.#ctx);
    const systemId = this.#ctx.state.inspection?.control?.systemId;
    return {
      name: this.#ctx.config.name,
      conn_url: connUrl,
      api_url: apiUrl,
      slots: {},
      ...(systemId === undefined ? {} : { database_system_identifier: systemId }),
    };
  }

  #tell(event: 'failsafe-active' | 'failsafe-refused', fields: Readonly<Record<string, unknown>>): void {
    const line = `${this.#reign} ${event} ${JSON.stringify(fields)}`;
    if (line !== this.#told) this.#ctx.log.warn(event, fields);
    this.#told = line;
  }
}
