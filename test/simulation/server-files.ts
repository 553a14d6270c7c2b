/**
 * What is done to a model server's data directory while it is stopped: made, copied, rewound, removed. Each takes its time
 * and is half-made until it is done; an agent that dies on the way leaves it so.
 */
import { MatriarchError } from '../../src/base/index.ts';
import type { CloneOptions, RewindResult, Upstream } from '../../src/postgres/index.ts';
import { hidesFork } from '../../src/postgres/needs-rewind.ts';
import type { Process } from './events.ts';
import { freshControl, type Server } from './server.ts';
import { forkOf, type Position, switchesOf } from './wal.ts';

/** An agent's hold on its server: answers come to the agent, other servers are reached from the server's host. */
export class Grip {
  readonly server: Server;
  readonly #agent: Process;

  constructor(server: Server, agent: Process) {
    this.server = server;
    this.#agent = agent;
  }

  async after(ms: number): Promise<void> {
    const { events, chance } = this.server.world;
    await new Promise<void>((resolve) => events.after(ms * chance.between(0.5, 1.5), this.#agent, resolve));
  }

  /** Looks about every `ms`; resolves as soon as it sees that it is so. */
  async when(isSo: () => boolean, ms: number): Promise<void> {
    const { events, chance } = this.server.world;
    const everyMs = (): number => ms * chance.between(0.5, 1.5);
    await new Promise<void>((resolve) => events.when(isSo, everyMs, this.#agent, resolve));
  }

  reach(from: Upstream): Server | undefined {
    const { servers, network } = this.server.world;
    const source = servers.get(from.host);
    return source !== undefined &&
      source.life.isRunning &&
      network.isOpenBothWays(this.server.site, source.site)
      ? source
      : undefined;
  }
}

export class Directory {
  readonly #server: Server;
  readonly #grip: Grip;

  constructor(grip: Grip) {
    this.#server = grip.server;
    this.#grip = grip;
  }

  async initdb(): Promise<void> {
    const server = this.#server;
    if (server.data !== 'empty') throw new MatriarchError('postgres-data-dir', 'not empty');
    server.data = 'partial';
    await this.#grip.after(800);
    server.data = 'initialized';
    server.isUnclaimed = true;
    server.systemId = String(7_000_000_000_000_000 + server.world.chance.below(1e12));
    server.control = { ...freshControl(), checkpointLsn: 900 };
    server.hasStandbySignal = false;
    server.position = {
      branch: { number: 1, parent: undefined, startLsn: 0, writer: server.name },
      lsn: 1000,
    };
  }

  async basebackup(from: Upstream, { slot, signal, replaces }: CloneOptions): Promise<void> {
    const server = this.#server;
    if (replaces === true && server.run !== 'stopped')
      throw new MatriarchError('postgres-data-dir', `its server is ${server.run}`);
    const { data, isUnclaimed, position, hasStandbySignal, consistentLsn, control } = server;
    const before = { data, isUnclaimed, position, hasStandbySignal, consistentLsn, control };
    const isKept = replaces === true && data === 'initialized';
    if (replaces === true) await this.removeDataDir();
    if (server.data !== 'empty') throw new MatriarchError('postgres-clone-failed', `it is ${server.data}`);
    const source = this.#grip.reach(from);
    server.data = 'partial';
    await this.#grip.after(700);
    const isToEnd = signal?.aborted === true;
    if (source === undefined || source !== this.#grip.reach(from) || source.run !== 'accepting' || isToEnd) {
      server.data = 'empty';
      if (isKept) Object.assign(server, before);
      throw new MatriarchError('postgres-clone-failed', 'the source has failed');
    }
    if (slot !== undefined) source.slots.add(slot);
    server.data = 'initialized';
    server.systemId = source.systemId;
    server.slots.clear();
    server.hasStandbySignal = true;
    server.position = source.wal;
    server.consistentLsn = source.wal.lsn;
    server.control = { ...source.control, checkpointTimeline: source.wal.branch.number };
  }

  async rewind(from: Upstream, signal: AbortSignal | undefined): Promise<RewindResult> {
    const server = this.#server;
    if (server.run !== 'stopped') return failed('server processes still run', false);
    if (server.control.state === 'in production' || server.control.state === 'shutting down') {
      // Single-user crash recovery; it ends with a checkpoint of its own.
      await this.#grip.after(400);
      const { branch, lsn } = server.wal;
      server.position = { branch, lsn: lsn + 100 };
      server.control = {
        ...server.control,
        state: 'shut down',
        checkpointLsn: lsn,
        checkpointTimeline: branch.number,
      };
      server.hasStandbySignal = true;
    }
    await this.#grip.after(20);
    const source = this.#grip.reach(from);
    if (source?.isAnswering !== true || source.inRecovery) return failed('the source is no primary', false);
    if (source.systemId !== server.systemId) return failed('it is another cluster', false);
    if (source.control.checkpointTimeline !== source.wal.branch.number)
      return failed('the source has not checkpointed', false);
    if (signal?.aborted === true) return failed('was told to end', false);
    if (hidesFork(server.wal.branch.number, switchesOf(source.wal.branch)))
      return failed('the history does not say where they parted', true);
    if (!isRewindNeeded(server.wal, source.wal)) {
      server.hasStandbySignal = true;
      return { outcome: 'not-needed' };
    }
    server.data = 'partial';
    const { number } = source.wal.branch;
    await this.#grip.after(300);
    if (this.#grip.reach(from) !== source || !source.isAnswering || source.inRecovery)
      return failed('the source has ended', true);
    if (source.wal.branch.number !== number) return failed('the source has changed', true);
    const fork = forkOf(server.wal, source.wal);
    server.data = 'initialized';
    server.slots.clear();
    server.hasStandbySignal = true;
    server.position = { branch: source.wal.branch, lsn: fork.lsn };
    server.consistentLsn = source.wal.lsn;
    server.control = {
      state: 'in archive recovery',
      checkpointLsn: fork.lsn,
      checkpointTimeline: number,
      minRecoveryEndLsn: source.wal.lsn,
      minRecoveryEndTimeline: number,
    };
    return { outcome: 'done', tookMs: 300 };
  }

  async removeDataDir(): Promise<void> {
    const server = this.#server;
    if (server.run !== 'stopped')
      throw new MatriarchError('postgres-data-dir', `its server is ${server.run}`);
    await this.#grip.after(30);
    server.data = 'empty';
    server.isUnclaimed = false;
    server.position = undefined;
    server.slots.clear();
    server.hasStandbySignal = false;
    server.consistentLsn = 0;
    server.control = freshControl();
  }
}

/** As pg_rewind sees it: by the numbers of timelines. */
function isRewindNeeded(own: Position, source: Position): boolean {
  if (own.branch.number === source.branch.number) return false;
  const left = switchesOf(source.branch).find(({ timeline }) => timeline === own.branch.number);
  return left === undefined || own.lsn > left.lsn;
}

function failed(because: string, damaged: boolean): RewindResult {
  return { outcome: 'failed', because, damaged };
}
