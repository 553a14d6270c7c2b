/**
 * A leader's housekeeping in the store and on the server, and a standby's little. It runs beside the loop, one run at a
 * time, so a slow store or query never delays a decision. Every write is guarded by "the leader key names me".
 *
 * Order matters at first: the member key (routers wait for it), roles and slots (standbys wait for them), then the rest.
 */
import { randomBytes } from 'node:crypto';
import { background, backoffMs, failure, isRecord, parseJson, rethrowBug } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import { unchanged } from '../dcs/index.ts';
import { ROUTER_ROLE } from '../postgres/index.ts';
import type { HistoryEntry } from '../topology/index.ts';
import { type AgentContext, MAXIMUM_LAG_BYTES } from './context.ts';
import { historyLine } from './documents.ts';
import { moveEtcdLeader } from './etcd-leader.ts';
import { Failsafe } from './failsafe.ts';
import { restoreIdentity } from './identity.ts';
import { putAsLeader, writeIdentity } from './leader-write.ts';
import type { MemberKey } from './member-key.ts';
import { localServer } from './observe.ts';
import { OpeningKeeper } from './opening.ts';
import { type PublishedSlots, SlotKeeper } from './slots.ts';
import { SynchronyKeeper } from './synchrony.ts';

const CALL_MS = 1000;
const CHECKPOINT_MS = 10 * 60_000;

export class Duties {
  readonly #ctx: AgentContext;
  readonly #member: MemberKey;
  #running: Promise<void> | undefined;
  #isAgainDue = false;
  #statusWritten: string | undefined;
  /** What is done once a term: identified by our PostgreSQL's timeline and the key's create revision. */
  #termDone: string | undefined;
  #isCheckpointing = false;
  #checkpointFailures = 0;
  #checkpointRetryAt = Number.NEGATIVE_INFINITY;
  readonly #slots = new SlotKeeper();
  #etcdLookedAt = Number.NEGATIVE_INFINITY;
  readonly #synchrony = new SynchronyKeeper();
  readonly #opening = new OpeningKeeper();
  readonly #failsafe: Failsafe;

  constructor(ctx: AgentContext, member: MemberKey) {
    this.#ctx = ctx;
    this.#member = member;
    this.#failsafe = new Failsafe(ctx);
  }

  /** Asks for a run; while one runs, for exactly one more after it. */
  due(): void {
    this.#failsafe.due();
    this.#isAgainDue = true;
    if (this.#running !== undefined) return;
    this.#running = this.#runs().finally(() => {
      this.#running = undefined;
    });
    background(this.#ctx.log, 'housekeeping', this.#running);
  }

  /** Resolves when nothing runs any more. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #runs(): Promise<void> {
    while (this.#isAgainDue) {
      this.#isAgainDue = false;
      await this.#attempt('member key', () => this.#member.publish(this.#ctx));
      if (this.#ctx.state.isStopping) return;
      await this.#attempt('identity', () => restoreIdentity(this.#ctx));
      const local = localServer(this.#ctx.state);
      if (local.process !== 'running' || this.#ctx.jobs.running !== undefined) continue;
      if (local.role === 'standby') {
        await this.#attempt('opening', () => this.#opening.keep(this.#ctx, 'standby'));
        await this.#attempt('slots', () => this.#slots.keep(this.#ctx, 'standby'));
      }
      if (local.role === 'primary' && this.#ctx.keeper.isHolder) await this.#lead();
    }
  }

  async #lead(): Promise<void> {
    const duties: readonly (readonly [string, () => Promise<void>])[] = [
      ['opening', () => this.#opening.keep(this.#ctx, 'primary')],
      ['roles', () => this.#roles()],
      ['slots', () => this.#slots.keep(this.#ctx, 'primary')],
      ['initialize', () => this.#initialize()],
      ['status', () => this.#status()],
      ['synchrony', () => this.#synchrony.keep(this.#ctx)],
      ['failsafe', () => this.#failsafe.keepKey()],
      ['config', () => this.#config()],
      ['history', () => this.#history()],
      ['checkpoint', () => this.#checkpoint()],
      ['etcd leader', () => this.#etcdLeader()],
    ];
    for (const [what, work] of duties) {
      if (this.#ctx.state.isStopping) return;
      await this.#attempt(what, work);
    }
  }

  async #attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (cause) {
      rethrowBug(cause);
      // Tried again in the next run; a run never ends because one duty failed.
      this.#ctx.log.warn('duty-failed', { what, ...failure(cause) });
    }
  }

  /** The identity of a cluster that was taken over, or whose store was emptied. */
  async #initialize(): Promise<void> {
    const { state, pg } = this.#ctx;
    if ((state.view.systemId ?? '') === '') return void (await writeIdentity(this.#ctx));
    state.isBootstrapping = false;
    if (state.inspection?.data.kind === 'initialized' && state.inspection.data.isUnclaimed)
      await pg.claimDataDir();
  }

  async #status(): Promise<void> {
    const { state, layout } = this.#ctx;
    const optime = state.status?.flushLsn;
    if (optime === undefined) return;
    const slots = this.#slots.published(this.#ctx);
    const value = renderStatus(state.view.entries.get(layout.status)?.value, optime, slots);
    if (value === this.#statusWritten) return;
    if (await putAsLeader(this.#ctx, [{ op: 'put', key: layout.status, value }])) this.#statusWritten = value;
  }

  async #config(): Promise<void> {
    const { state, layout, config, log } = this.#ctx;
    const { config: key } = layout;
    const present = state.view.entries.get(key);
    if (present !== undefined && present.value !== '') return;
    const isWritten = await putAsLeader(
      this.#ctx,
      [{ op: 'put', key, value: firstConfiguration(config) }],
      [unchanged(key, present?.modRevision)],
    );
    if (isWritten) log.info('cluster-configuration-written', {});
  }

  /** Our timeline's ancestors, as the server knows them; what is already written keeps its time and leader. */
  async #history(): Promise<void> {
    const { state, pg, layout, published, config, clock, log } = this.#ctx;
    const timeline = state.status?.timeline ?? 0;
    if (timeline <= 1 || state.view.history.at(-1)?.timeline === timeline - 1) return;
    const own = await pg.timelineHistory(published.postgres, { deadlineMs: CALL_MS });
    const known = new Map(state.view.history.map((entry) => [entry.timeline, entry]));
    const at = new Date(clock.wallNow()).toISOString().replace('Z', '+00:00');
    const lines = own.history.map((ended): HistoryEntry => {
      const before = known.get(ended.timeline);
      const isLast = ended.timeline === own.history.at(-1)?.timeline;
      const fresh = { at: isLast ? at : undefined, newLeader: isLast ? config.name : undefined };
      return { ...ended, ...(before === undefined ? fresh : { at: before.at, newLeader: before.newLeader }) };
    });
    const value = JSON.stringify(lines.map(historyLine));
    if (await putAsLeader(this.#ctx, [{ op: 'put', key: layout.history, value }]))
      log.info('history-written', { timeline });
  }

  /** pg_rewind reads our timeline from the control file, which only a checkpoint updates. Beside everything else: it may take long. */
  async #checkpoint(): Promise<void> {
    const { state, clock, log } = this.#ctx;
    const { status } = state;
    if (status === undefined || status.checkpointTimeline >= status.timeline) return;
    if (this.#isCheckpointing || clock.now() < this.#checkpointRetryAt) return;
    this.#isCheckpointing = true;
    background(log, 'checkpoint after promotion', this.#checkpointNow());
  }

  async #checkpointNow(): Promise<void> {
    const { pg, wake, clock, random } = this.#ctx;
    try {
      await pg.checkpoint({ deadlineMs: CHECKPOINT_MS });
      this.#checkpointFailures = 0;
      wake.now();
    } catch (cause) {
      const waitMs = backoffMs(this.#checkpointFailures, { firstMs: 1000, maxMs: 60_000 }, random());
      this.#checkpointFailures += 1;
      this.#checkpointRetryAt = clock.now() + waitMs;
      throw cause;
    } finally {
      this.#isCheckpointing = false;
    }
  }

  /**
   * The role with which routers read password verifiers; made once, and made sure of once a term. A cluster without its
   * credential is new: it gets the other roles first, so whoever sees the credential may count on them.
   */
  async #roles(): Promise<void> {
    const { dcs, layout, pg, state, config, log } = this.#ctx;
    const term = `${state.view.leaderCreateRevision}/${state.status?.timeline}`;
    if (this.#termDone === term || state.view.leaderCreateRevision === undefined) return;
    const entry = await dcs.get(layout.routerCredential, { timeoutMs: CALL_MS });
    const known = entry === undefined ? undefined : passwordOf(entry.value);
    const password = known ?? randomBytes(24).toString('base64url');
    if (known === undefined) await pg.bootstrapSql({ users: config.bootstrap.users });
    await pg.setRouterCredential(password);
    if (known === undefined) {
      const value = JSON.stringify({ username: ROUTER_ROLE, password });
      if (!(await putAsLeader(this.#ctx, [{ op: 'put', key: layout.routerCredential, value }]))) return;
      log.info('router-credential-written', { username: ROUTER_ROLE });
    }
    this.#termDone = term;
  }

  async #etcdLeader(): Promise<void> {
    const { clock } = this.#ctx;
    if (clock.now() - this.#etcdLookedAt < 10_000) return;
    this.#etcdLookedAt = clock.now();
    await moveEtcdLeader(this.#ctx);
  }
}

/**
 * The first value of the cluster-wide key: what the agents really follow. `ttl` and `loop_wait` come from each host's
 * file, and are shown here in whole seconds for readers of Patroni's key; changing them here changes nothing.
 */
export function firstConfiguration(config: Pick<Config, 'lease' | 'bootstrap'>): string {
  return JSON.stringify({
    ttl: wholeSeconds(config.lease.ttl),
    loop_wait: wholeSeconds(config.lease.loop_wait),
    maximum_lag_on_failover: MAXIMUM_LAG_BYTES,
    ...config.bootstrap.dcs,
  });
}

const wholeSeconds = (ms: number): number => Math.max(1, Math.round(ms / 1000));

/** `status` with a new position, and slots where they are told; fields of other writers are kept as they are. */
export function renderStatus(before: string | undefined, optime: number, slots?: PublishedSlots): string {
  const known = parseJson(before ?? '');
  return JSON.stringify({ ...(isRecord(known) ? known : {}), optime, ...slots });
}

function passwordOf(value: string): string | undefined {
  const json = parseJson(value);
  const { username, password } = isRecord(json) ? json : {};
  return username === ROUTER_ROLE && typeof password === 'string' && password !== '' ? password : undefined;
}
