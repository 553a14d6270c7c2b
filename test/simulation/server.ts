/**
 * A model of one PostgreSQL: a data directory that outlives its processes, a server process with PostgreSQL's own ways of
 * starting, stopping, being killed and being promoted, and WAL that is flushed before it is acknowledged or shipped.
 * Streaming is in streaming.ts; what the agent calls is in server-control.ts.
 *
 *     stopped --start--> starting --recovered, consistent--> accepting --SIGINT--> stopping --> stopped
 *                                                              | postmaster killed
 *                                                              '--> orphans (backends that still commit) --> stopped
 */
import type { ControlData, PostmasterExit } from '../../src/postgres/index.ts';
import type { Chance } from './chance.ts';
import { type Events, Process } from './events.ts';
import type { Network, Site } from './network.ts';
import { disconnect, seek, shipToAll } from './streaming.ts';
import { Waiting } from './waiting.ts';
import type { Branch, Position } from './wal.ts';

/** What the checks are told of. */
export interface Watcher {
  /** The server tells a client that its write is safe, now. */
  readonly acknowledged: (server: Server, record: Position) => void;
  /** It takes writes from now on. */
  readonly opened: (server: Server) => void;
  /** Clients that come to it see all that it has, now. */
  readonly shown: (server: Server) => void;
  readonly promoted: (server: Server, from: Position) => void;
  readonly wrong: (what: string) => void;
  readonly trace: ((line: string) => void) | undefined;
}

export interface ServerWorld {
  readonly events: Events;
  readonly chance: Chance;
  readonly network: Network;
  readonly watcher: Watcher;
  readonly servers: ReadonlyMap<string, Server>;
  /** `synchronous_standby_names` where the agent does not write it. */
  readonly requirement: string;
  /** Probability that a shutdown hangs of itself. */
  readonly stickiness: number;
}

export type Run = 'stopped' | 'starting' | 'accepting' | 'stopping' | 'orphans';

const CHECKPOINT_BYTES = 100;

export class Server {
  readonly name: string;
  readonly site: Site;
  readonly world: ServerWorld;
  /** The host has power. */
  isHostUp = true;

  data: 'empty' | 'partial' | 'initialized' = 'empty';
  systemId = '';
  isUnclaimed = false;
  position: Position | undefined;
  control: Omit<ControlData, 'systemId' | 'floors'> = freshControl();
  hasStandbySignal = false;
  /** A copy is consistent from there on. */
  consistentLsn = 0;
  readonly slots = new Set<string>();
  /** The last that a client has written here. */
  lastWrite: Position | undefined;
  config: ServerConfig = NO_UPSTREAM;
  /** What its files say; it reads them when it starts, and when it is told to. */
  files: ServerConfig = NO_UPSTREAM;

  run: Run = 'stopped';
  pid = 0;
  life = new Process('none');
  inRecovery = false;
  isPromoting = false;
  areSessionsCut = false;
  isExitExpected = false;
  readonly exitListeners = new Set<(exit: PostmasterExit) => void>();

  /** A standby's upstream, while it streams. */
  receivesFrom: Server | undefined;
  /** It asks for WAL that its upstream cannot continue: it seems to stream, and stands still. */
  isTwin = false;
  isShipping = false;
  silentSince: number | undefined;
  readonly followers = new Set<Server>();
  /** Writes that wait for standbys. */
  readonly waiting = new Waiting(this);

  /** Faults: a shutdown that does not end, a postmaster that stands still, SQL without answers, slow disks, stalled replay. */
  isStuck = false;
  /** Its sessions go on; what it is told is heard when it goes on itself. */
  isDeaf = false;
  #unheard: (() => void)[] = [];
  isHung = false;
  slowMs = 0;
  stalledUntil = 0;

  constructor(site: Site, world: ServerWorld) {
    this.name = site.name;
    this.site = site;
    this.world = world;
  }

  get wal(): Position {
    if (this.position === undefined) throw new Error(`${this.name} has no WAL`);
    return this.position;
  }

  /** Answers questions in SQL. */
  get isAnswering(): boolean {
    return this.run === 'accepting' && this.life.isRunning && !this.isHung;
  }

  /** A write that is flushed now would be acknowledged. */
  get mayAcknowledge(): boolean {
    return (
      (this.run === 'accepting' || this.run === 'orphans') &&
      !this.inRecovery &&
      !this.areSessionsCut &&
      this.life.isRunning
    );
  }

  /** A client's write: flushed, then answered in the same instant, or when a standby has confirmed it. */
  write(bytes: number): void {
    const { events, chance } = this.world;
    if (!this.mayAcknowledge || this.run !== 'accepting' || this.config.isClosed) return;
    events.after(chance.between(1, 5) + this.slowMs, this.life, () => {
      if (!this.mayAcknowledge) return;
      const record = this.append(bytes);
      this.lastWrite = record;
      this.waiting.flushed(record);
    });
  }

  /** Its files say this now, and it has been told to read them. */
  reload(config: ServerConfig): void {
    const isMoved = config.upstream !== this.config.upstream;
    const isOpened = this.config.isClosed && !config.isClosed;
    this.config = config;
    if (isOpened && this.run === 'accepting') this.world.watcher.shown(this);
    this.waiting.reload(this.requirement);
    if (isMoved) disconnect(this);
  }

  /** What its files say that commits wait for. */
  get requirement(): string {
    return this.config.requirement ?? this.world.requirement;
  }

  /** Flushed at once; ships to who streams. */
  append(bytes: number): Position {
    const { branch, lsn } = this.wal;
    if (branch.writer !== this.name)
      this.world.watcher.wrong(`${this.name} writes timeline ${branch.number}, which is ${branch.writer}'s`);
    this.position = { branch, lsn: lsn + bytes };
    shipToAll(this);
    return this.position;
  }

  start(as: 'primary' | 'standby'): void {
    const { events, chance } = this.world;
    const wasClean = this.control.state === 'shut down' || this.control.state === 'shut down in recovery';
    this.pid += 1;
    this.life = new Process(`postgres of ${this.name}`);
    this.isDeaf = false;
    this.#unheard = [];
    this.waiting.begin(this.requirement);
    this.run = 'starting';
    this.hasStandbySignal = as === 'standby';
    this.inRecovery = true;
    this.isPromoting = false;
    this.areSessionsCut = false;
    this.isExitExpected = false;
    const recoveryMs = wasClean ? chance.between(30, 150) : chance.between(80, 1200);
    events.after(recoveryMs + this.slowMs * 10, this.life, () =>
      as === 'primary' ? this.#open() : this.#standBy(),
    );
  }

  /** It had been running as a standby; a new timeline begins, whatever has become of the agent that asked. */
  promote(timeline = 0): void {
    const { events, chance } = this.world;
    if (this.isPromoting) return;
    if (this.isDeaf) return this.#hearLater(() => this.promote(timeline));
    this.isPromoting = true;
    disconnect(this);
    const ms = chance.isTrue(0.9) ? chance.between(20, 300) : chance.between(300, 4000);
    events.after(ms + this.slowMs * 5, this.life, () => {
      const before = this.wal;
      const branch: Branch = {
        number: Math.max(before.branch.number + 1, timeline),
        parent: before.branch,
        startLsn: before.lsn,
        writer: this.name,
      };
      this.position = { branch, lsn: before.lsn };
      this.hasStandbySignal = false;
      this.isPromoting = false;
      this.world.watcher.promoted(this, before);
      this.#takeWrites();
    });
  }

  checkpoint(): void {
    const { branch, lsn } = this.wal;
    this.control = { ...this.control, checkpointLsn: lsn, checkpointTimeline: branch.number };
    this.append(CHECKPOINT_BYTES);
  }

  /** Signals to the postmaster, or (SIGKILL) to all its processes. */
  signal(signal: 'SIGINT' | 'SIGTERM' | 'SIGQUIT' | 'SIGKILL'): void {
    if (this.run === 'stopped') return;
    const { events, chance } = this.world;
    if (signal === 'SIGKILL') {
      events.after(1, undefined, () => this.#end('SIGKILL'));
    } else if (this.isDeaf) {
      this.#hearLater(() => this.signal(signal));
    } else if (signal === 'SIGQUIT' || this.run === 'orphans') {
      if (!chance.isTrue(this.isStuck ? 0.5 : this.world.stickiness / 2))
        events.after(chance.between(2, 20), this.life, () => this.#end(signal));
    } else if (this.run !== 'stopping') {
      this.#shutDown();
    }
  }

  /** The postmaster goes on, and hears what it was told meanwhile. */
  hear(): void {
    this.isDeaf = false;
    for (const message of this.#unheard.splice(0)) message();
  }

  #hearLater(message: () => void): void {
    const { life } = this;
    this.#unheard.push(() => {
      if (life.isAlive) message();
    });
  }

  /** The postmaster alone is killed: for a moment its backends go on. */
  killPostmaster(): void {
    const { events, chance } = this.world;
    if (this.run === 'stopped' || this.run === 'orphans') return;
    const wasAccepting = this.run === 'accepting';
    this.run = 'orphans';
    disconnect(this);
    this.#tellExit();
    events.after(wasAccepting ? chance.between(1, 400) : 1, this.life, () =>
      this.#end('its postmaster killed'),
    );
  }

  /** The host is without power. */
  crash(): void {
    this.isHostUp = false;
    if (this.run !== 'stopped') this.#end('a crash of its host');
  }

  /** A copy that was not consistent may be by now. */
  considerConsistency(): void {
    if (this.run === 'starting' && this.inRecovery && this.wal.lsn >= this.consistentLsn) {
      this.run = 'accepting';
      this.world.watcher.trace?.(`${this.name}: accepts reads at ${this.wal.branch.number}/${this.wal.lsn}`);
      if (!this.config.isClosed) this.world.watcher.shown(this);
    }
  }

  #open(): void {
    if (this.run !== 'starting') return;
    this.control = {
      ...this.control,
      state: 'in production',
      minRecoveryEndLsn: 0,
      minRecoveryEndTimeline: 0,
    };
    this.#takeWrites();
    if (!this.config.isClosed) this.world.watcher.shown(this);
    this.checkpoint();
  }

  #takeWrites(): void {
    this.control = { ...this.control, state: 'in production' };
    this.inRecovery = false;
    if (this.run === 'starting') this.run = 'accepting';
    const { branch, lsn } = this.wal;
    this.world.watcher.trace?.(`${this.name}: takes writes at ${branch.number}/${lsn}`);
    this.append(CHECKPOINT_BYTES);
    this.world.watcher.opened(this);
  }

  #standBy(): void {
    if (this.run !== 'starting') return;
    this.control = {
      ...this.control,
      state: 'in archive recovery',
      minRecoveryEndLsn: Math.max(this.control.minRecoveryEndLsn, this.consistentLsn),
      minRecoveryEndTimeline: this.wal.branch.number,
    };
    this.considerConsistency();
    seek(this);
  }

  /** Fast shutdown: sessions end now; the checkpoint has to reach who streams before the server ends. */
  #shutDown(): void {
    const { events, chance } = this.world;
    const wasAccepting = this.run === 'accepting';
    this.run = 'stopping';
    this.areSessionsCut = true;
    if (this.isStuck || chance.isTrue(this.world.stickiness)) return;
    events.after(chance.between(10, 200) + this.slowMs * 5, this.life, () => {
      if (!wasAccepting) {
        this.#end('SIGINT while it started');
      } else if (this.inRecovery) {
        const { branch, lsn } = this.wal;
        const state = 'shut down in recovery';
        this.control = {
          ...this.control,
          state,
          minRecoveryEndLsn: lsn,
          minRecoveryEndTimeline: branch.number,
        };
        this.#end('SIGINT');
      } else {
        const { branch, lsn } = this.wal;
        this.append(CHECKPOINT_BYTES);
        this.control = {
          ...this.control,
          state: 'shutting down',
          checkpointLsn: lsn,
          checkpointTimeline: branch.number,
        };
        this.#awaitFollowers();
      }
    });
  }

  #awaitFollowers(): void {
    if ([...this.followers].every((each) => each.isTwin || each.wal.lsn >= this.wal.lsn)) {
      this.control = { ...this.control, state: 'shut down' };
      this.#end('SIGINT');
      return;
    }
    this.world.events.after(10, this.life, () => this.#awaitFollowers());
  }

  #end(by: string): void {
    if (this.run === 'stopped') return;
    const { chance, watcher } = this.world;
    const wasOrphans = this.run === 'orphans';
    this.run = 'stopped';
    this.life.isAlive = false;
    this.inRecovery = false;
    if (this.control.state === 'in archive recovery') {
      // Not all that it has is known to its control file.
      const { minRecoveryEndLsn: known } = this.control;
      const lsn = Math.round(chance.between(Math.min(known, this.wal.lsn), this.wal.lsn));
      this.control = { ...this.control, minRecoveryEndLsn: Math.max(lsn, this.consistentLsn) };
    }
    disconnect(this);
    // A host without power says nothing to those who listen.
    if (this.isHostUp) for (const follower of this.followers) disconnect(follower);
    watcher.trace?.(`${this.name}: ended by ${by}, ${this.control.state} at ${this.position?.lsn}`);
    if (!wasOrphans) this.#tellExit();
  }

  #tellExit(): void {
    for (const listener of this.exitListeners) listener({ pid: this.pid, expected: this.isExitExpected });
  }
}

/** What its files say. */
export interface ServerConfig {
  readonly upstream: string | undefined;
  readonly slot: string | undefined;
  readonly requirement: string | undefined;
  /** It lets in agents and standbys only. */
  readonly isClosed: boolean;
}

const NO_UPSTREAM: ServerConfig = {
  upstream: undefined,
  slot: undefined,
  requirement: undefined,
  isClosed: false,
};

export function freshControl(): Server['control'] {
  return {
    state: 'shut down',
    checkpointLsn: 0,
    checkpointTimeline: 1,
    minRecoveryEndLsn: 0,
    minRecoveryEndTimeline: 0,
  };
}
