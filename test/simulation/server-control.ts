/**
 * `PostgresControl` over a model server: the agent's hand on its PostgreSQL, with PostgreSQL's conditions, delays and
 * refusals. Whatever is answered reaches the agent only while that lives and is not paused.
 */
import { MatriarchError } from '../../src/base/index.ts';
import type {
  ConfigWritten,
  DesiredConfig,
  PostgresControl,
  PostmasterState,
  PromoteOptions,
  PromoteResult,
  ServerStatus,
  StopResult,
  Synchrony,
  Upstream,
  UpstreamTimeline,
} from '../../src/postgres/index.ts';
import type { Process } from './events.ts';
import type { Server } from './server.ts';
import { Directory, Grip } from './server-files.ts';
import { switchesOf } from './wal.ts';

const FLOORS = {
  max_connections: 100,
  max_worker_processes: 8,
  max_wal_senders: 10,
  max_prepared_xacts: 0,
  max_locks_per_xact: 64,
};
const POLL_MS = 20;

export function controlOf(server: Server, agent: Process): PostgresControl {
  const grip = new Grip(server, agent);
  const hand = new Hand(grip);
  const directory = new Directory(grip);
  return {
    dataDir: `/${server.name}`,
    inspect: async () => {
      const { data, control, systemId } = server;
      return await Promise.resolve({
        data:
          data === 'partial'
            ? { kind: 'partial', during: 'basebackup' }
            : data === 'empty'
              ? { kind: 'empty' }
              : { kind: 'initialized', isUnclaimed: server.isUnclaimed },
        postmaster: postmasterOf(server),
        control: data === 'initialized' ? { ...control, systemId, floors: FLOORS } : undefined,
      });
    },
    hasStandbySignal: async () => await Promise.resolve(server.hasStandbySignal),
    initdb: async () => await directory.initdb(),
    claimDataDir: async () => {
      await grip.after(1);
      server.isUnclaimed = false;
    },
    writeConfig: async (desired) => await hand.writeConfig(desired),
    start: async ({ as, deadlineMs = 60_000 }) => await hand.start(as, deadlineMs),
    stop: async ({ mode, deadlineMs }) => await hand.stop(mode, deadlineMs),
    reload: async () => await hand.reload(),
    promote: async (options) => await hand.promote(options),
    checkpoint: async () => await hand.checkpoint(),
    isAnswering: async ({ deadlineMs = 1000 } = {}) => await hand.isAnswering(deadlineMs),
    hbaProblems: async () => {
      await hand.sql();
      return [];
    },
    synchrony: async ({ deadlineMs = 1000 } = {}) => await hand.synchrony(deadlineMs),
    status: async ({ deadlineMs = 1000 } = {}) => await hand.status(deadlineMs),
    ensureSlots: async ({ ensure, drop = [] }) => await hand.ensureSlots(ensure, drop),
    basebackup: async (from, options = {}) => await directory.basebackup(from, options),
    keepsWal: async (from, { slot, deadlineMs = 1000 }) => await hand.keepsWal(from, slot, deadlineMs),
    rewind: async (from, options = {}) => await directory.rewind(from, options.signal),
    removeDataDir: async () => await directory.removeDataDir(),
    quarantine: async () => {
      await directory.removeDataDir();
      return `/${server.name}.aside`;
    },
    timelineHistory: async (from, { deadlineMs = 5000 } = {}) => await hand.timelineHistory(from, deadlineMs),
    bootstrapSql: async () => await hand.sql(),
    setRouterCredential: async () => await hand.sql(),
    onExit: (callback) => {
      const listener: typeof callback = (exit) => {
        server.world.events.after(server.world.chance.between(0, 60), agent, () => callback(exit));
      };
      server.exitListeners.add(listener);
      return () => server.exitListeners.delete(listener);
    },
    close: async () => await Promise.resolve(),
  };
}

class Hand {
  readonly #server: Server;
  readonly #grip: Grip;
  /** What the files say; a server reads them when it starts and when it is told to. */
  #files: Server['config'] | undefined;

  constructor(grip: Grip) {
    this.#server = grip.server;
    this.#grip = grip;
  }

  async sql(): Promise<void> {
    await this.#grip.after(4 + this.#server.slowMs);
    if (!this.#server.isAnswering) throw unreachable(this.#server.name);
  }

  async writeConfig(desired: DesiredConfig): Promise<ConfigWritten> {
    await this.#grip.after(2);
    const upstream = desired.as === 'standby' ? desired.upstream?.host : undefined;
    const before = this.#files;
    const { files } = this.#server;
    const wasDurable = desired.isClosed === 'if-durable' && files.requirement !== undefined;
    this.#files = {
      upstream,
      slot: upstream === undefined ? undefined : desired.slot,
      requirement: desired.synchronousStandbyNames,
      isClosed: typeof desired.isClosed === 'boolean' ? desired.isClosed : files.isClosed || wasDurable,
    };
    this.#server.files = this.#files;
    return { changed: JSON.stringify(before) !== JSON.stringify(this.#files) };
  }

  async start(
    as: 'primary' | 'standby',
    deadlineMs: number,
  ): Promise<{ outcome: 'accepting' | 'still-starting'; pid: number }> {
    const server = this.#server;
    await this.#grip.after(10);
    if (server.data !== 'initialized') throw new MatriarchError('postgres-data-dir', `it is ${server.data}`);
    if (server.run === 'orphans') await this.stop('immediate', 5000);
    if (server.run !== 'stopped')
      throw new MatriarchError('postgres-data-dir', `its server is ${server.run}`);
    if (this.#files !== undefined) server.config = this.#files;
    server.start(as);
    const { pid } = server;
    const isOver = await this.#until(() => server.run !== 'starting' || server.pid !== pid, deadlineMs);
    if (server.run === 'stopped' || server.pid !== pid)
      throw new MatriarchError('postgres-start-failed', 'it ended while it started');
    return { outcome: isOver ? 'accepting' : 'still-starting', pid };
  }

  /** The escalation of the real one, with the same parts of the deadline. */
  async stop(mode: 'fast' | 'immediate', deadlineMs: number): Promise<StopResult> {
    const server = this.#server;
    if (server.run === 'stopped') return { outcome: 'not-running' };
    const { pid, world } = server;
    const startedAt = world.events.now;
    const isGone = (): boolean => server.run === 'stopped' || server.pid !== pid;
    const stopped = (by: 'fast' | 'immediate' | 'kill'): StopResult => ({
      outcome: 'stopped',
      by,
      tookMs: world.events.now - startedAt,
    });
    server.isExitExpected = true;
    if (server.run !== 'orphans') {
      const immediateAtMs = mode === 'fast' ? Math.max(deadlineMs * 0.5, deadlineMs - 2000) : 0;
      const killAtMs = Math.max(deadlineMs * 0.8, deadlineMs - 700);
      if (mode === 'fast') {
        server.signal('SIGINT');
        if (await this.#until(isGone, immediateAtMs)) return stopped('fast');
      }
      server.signal('SIGQUIT');
      if (await this.#until(isGone, startedAt + killAtMs - world.events.now)) return stopped('immediate');
    }
    server.signal('SIGKILL');
    await this.#until(isGone, 1000);
    return stopped('kill');
  }

  async reload(): Promise<void> {
    const server = this.#server;
    await this.#grip.after(2);
    if (this.#files === undefined || server.run === 'stopped') return;
    server.reload(this.#files);
  }

  async promote({ stillAllowed, timeline, deadlineMs = 30_000 }: PromoteOptions): Promise<PromoteResult> {
    const server = this.#server;
    const { events } = server.world;
    const startedAt = events.now;
    const { pid } = server;
    if (server.run !== 'accepting') return { outcome: 'failed', because: 'the server does not run' };
    await this.#grip.after(3);
    if (!server.inRecovery) return { outcome: 'promoted', tookMs: 0 };
    if (!stillAllowed()) return { outcome: 'cancelled' };
    if (server.run !== 'accepting' || server.pid !== pid)
      return { outcome: 'failed', because: 'the server has ended' };
    server.promote(timeline);
    const hasEnded = (): boolean =>
      server.run === 'stopped' || server.run === 'orphans' || server.pid !== pid;
    await this.#until(() => hasEnded() || (!server.inRecovery && server.isAnswering), deadlineMs);
    if (hasEnded()) return { outcome: 'failed', because: 'the server has ended' };
    return server.inRecovery
      ? { outcome: 'failed', because: 'the server is still in recovery' }
      : { outcome: 'promoted', tookMs: events.now - startedAt };
  }

  async checkpoint(): Promise<void> {
    const server = this.#server;
    const { pid } = server;
    await this.#grip.after(60 + server.slowMs * 10);
    if (!server.isAnswering || server.pid !== pid) throw unreachable(server.name);
    if (!server.inRecovery) server.checkpoint();
  }

  async status(deadlineMs: number): Promise<ServerStatus> {
    return statusOf(await this.#asked(deadlineMs));
  }

  async isAnswering(deadlineMs: number): Promise<boolean> {
    const server = this.#server;
    await this.#grip.after(4);
    if (server.run !== 'accepting' || server.isAnswering) return true;
    await this.#grip.after(deadlineMs);
    return false;
  }

  async synchrony(deadlineMs: number): Promise<Synchrony> {
    return synchronyOf(await this.#asked(deadlineMs));
  }

  async #asked(deadlineMs: number): Promise<Server> {
    const server = this.#server;
    await this.#grip.after(2);
    if (server.isAnswering) return server;
    if (server.run === 'accepting') await this.#grip.after(deadlineMs);
    throw unreachable(server.name);
  }

  async ensureSlots(
    ensure: readonly string[],
    drop: readonly string[],
  ): Promise<{ created: readonly string[]; dropped: readonly string[] }> {
    await this.sql();
    const { slots } = this.#server;
    const created = ensure.filter((slot) => !slots.has(slot));
    const dropped = drop.filter((slot) => slots.has(slot));
    for (const slot of created) slots.add(slot);
    for (const slot of dropped) slots.delete(slot);
    return { created, dropped };
  }

  /** No WAL is lost here while there is a slot. */
  async keepsWal(from: Upstream, slot: string, deadlineMs: number): Promise<boolean> {
    await this.timelineHistory(from, deadlineMs);
    return this.#grip.reach(from)?.slots.has(slot) === true;
  }

  /** Asked and answered over the network. */
  async timelineHistory(from: Upstream, deadlineMs: number): Promise<UpstreamTimeline> {
    const { world, site, name } = this.#server;
    const source = this.#grip.reach(from);
    await this.#grip.after(
      2 + (source === undefined ? deadlineMs : world.network.delay(site, source.site) * 2),
    );
    if (source?.isAnswering !== true || this.#grip.reach(from) !== source)
      throw unreachable(`${from.host} from ${name}`);
    const { branch, lsn } = source.wal;
    return {
      systemId: source.systemId,
      timeline: branch.number,
      lsn,
      inRecovery: source.inRecovery,
      history: switchesOf(branch),
    };
  }

  /** True as soon as `isSo`; false when `ms` have passed. */
  async #until(isSo: () => boolean, ms: number): Promise<boolean> {
    const { events } = this.#server.world;
    const endsAt = events.now + ms;
    const isOver = (): boolean => isSo() || events.now >= endsAt;
    if (!isOver()) await this.#grip.when(isOver, POLL_MS);
    return isSo();
  }
}

function statusOf(server: Server): ServerStatus {
  const { branch, lsn } = server.wal;
  const { inRecovery, followers, slots } = server;
  return {
    inRecovery,
    timeline: branch.number,
    flushLsn: inRecovery ? undefined : lsn,
    receiveLsn: inRecovery ? lsn : undefined,
    replayLsn: inRecovery ? lsn : undefined,
    replayPaused: false,
    replicationState: inRecovery
      ? server.receivesFrom === undefined
        ? 'in archive recovery'
        : 'streaming'
      : undefined,
    checkpointTimeline: server.control.checkpointTimeline,
    standbys: Array.from(followers, ({ name }) => ({
      applicationName: name,
      state: 'streaming',
      syncState: 'async',
    })),
    slots: Array.from(slots, (name) => ({
      name,
      type: 'physical' as const,
      active: [...followers].some((each) => each.config.slot === name),
      restartLsn: lsn,
      walStatus: 'reserved',
      holdsXmin: false,
      isFailover: false,
    })),
    postmasterStartTime: `start ${server.pid}`,
    isClosed: server.config.isClosed,
    serverVersion: 150_018,
    pendingRestart: [],
  };
}

function synchronyOf({ inRecovery, wal, waiting, followers }: Server): Synchrony {
  return {
    setting: waiting.setting,
    flushLsn: inRecovery ? undefined : wal.lsn,
    isCheckpointerIdle: waiting.isCheckpointerIdle,
    weakenedFor: [],
    standbys: Array.from(followers, (standby) => ({
      name: standby.name,
      isStreaming: true,
      isCounted: waiting.isCounted(standby),
      flushLsn: standby.isTwin ? 0 : standby.wal.lsn,
    })),
  };
}

function postmasterOf({ run, pid }: Server): PostmasterState {
  if (run === 'stopped') return { kind: 'stopped', stalePidFile: false };
  return run === 'orphans' ? { kind: 'orphans', pids: [pid] } : { kind: run, pid };
}

function unreachable(name: string): MatriarchError {
  return new MatriarchError('postgres-unreachable', `${name} does not answer`);
}
