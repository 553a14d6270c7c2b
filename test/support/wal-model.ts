/**
 * A cluster as a model: one primary that writes WAL, standbys that receive, replay, stop and start again, failovers that
 * lose what was not received. Commits are shown by the primary only some time after they are in WAL, as while it waits for
 * a synchronous standby. A standby shows a commit while it still redoes it, and counts it as replayed later. Time is a
 * counter. What is known of the servers comes from questions whose answers are late.
 */
import type { NodePosition } from '../../src/routing/index.ts';

interface Commit {
  readonly id: number;
  readonly timeline: number;
  readonly lsn: number;
  isShownByPrimary: boolean;
}

class Server {
  readonly name: string;
  log: readonly Commit[] = [];
  replayed = 0;
  /** The next commit is being redone: it is shown, and not counted as replayed. */
  isRedoing = false;
  /** What it redoes came by a stream, so that it lies within what it says that it has received. */
  isFed = true;
  timeline = 1;
  isAlive = true;
  startedAt = 0;
  /** The question under way, when it was sent, and the answer once it is made. */
  askedAt: number | undefined = undefined;
  answer: NodePosition | undefined = undefined;

  constructor(name: string) {
    this.name = name;
  }
}

export type Random = (below: number) => number;

export class WalModel {
  now = 1;
  /** As the router's view has it. */
  viewed: string | undefined = 'a';
  readonly servers = ['a', 'b', 'c'].map((name) => new Server(name));
  readonly #random: Random;
  #primary: Server | undefined = this.servers[0];
  #commits = 0;
  #lsn = 100;

  constructor(random: Random) {
    this.#random = random;
  }

  /** What a read on the server would see. */
  shown(server: Server): ReadonlySet<number> {
    const log =
      server === this.#primary
        ? server.log.filter((one) => one.isShownByPrimary)
        : server.log.slice(0, server.replayed + (server.isRedoing ? 1 : 0));
    return new Set(log.map(({ id }) => id));
  }

  /** What has outlived all failovers so far. */
  get surviving(): ReadonlySet<number> | undefined {
    return this.#primary && new Set(this.#primary.log.map(({ id }) => id));
  }

  get primary(): Server | undefined {
    return this.#primary?.isAlive === true && this.viewed === this.#primary.name ? this.#primary : undefined;
  }

  /** A commit, shown when it is acknowledged, or later. */
  commit(isShownByPrimary: boolean): number | undefined {
    const primary = this.#primary;
    if (primary?.isAlive !== true) return undefined;
    this.#commits += 1;
    this.#lsn += 1 + this.#random(50);
    const commit = { id: this.#commits, timeline: primary.timeline, lsn: this.#lsn, isShownByPrimary };
    primary.log = [...primary.log, commit];
    return commit.id;
  }

  /** Something happens that no session does. */
  step(told: (member: string, position: NodePosition) => void): void {
    this.now += 1;
    const server = this.servers[this.#random(this.servers.length)];
    if (server === undefined) return;
    switch (this.#random(13)) {
      case 0:
        this.commit(this.#random(2) === 0);
        return;
      case 1:
        if (this.#random(2) === 0) return;
        for (const commit of this.#primary?.log ?? []) commit.isShownByPrimary = true;
        return;
      case 2:
      case 3:
      case 4:
      case 5:
        if (server !== this.#primary) this.#follow(server);
        return;
      case 6:
        if (this.#random(3) === 0 && server !== this.#primary) this.#restart(server);
        return;
      case 7:
        if (this.#random(12) === 0) this.#failOver();
        return;
      case 8:
        this.viewed = this.#primary?.name;
        return;
      default:
        this.#ask(server, told);
    }
  }

  #follow(server: Server): void {
    if (this.#primary === undefined) return;
    const isOnBranch = server.log.every((commit, index) => this.#primary?.log[index] === commit);
    if (!isOnBranch) {
      // Rewound: it starts with what both have.
      server.log = server.log.filter((commit, index) => this.#primary?.log[index] === commit);
      this.#restart(server);
    }
    server.isAlive = true;
    server.timeline = this.#primary.timeline;
    server.log = this.#primary.log.slice(0, server.log.length + this.#random(4));
    // Redo of one that drops files takes long.
    if (server.isRedoing && this.#random(8) > 0) return;
    const redone = Math.max(this.#random(4), server.isRedoing ? 1 : 0);
    server.replayed = Math.min(server.log.length, server.replayed + redone);
    server.isRedoing = server.replayed < server.log.length;
    server.isFed = this.#random(4) > 0;
  }

  /** It begins behind what it had replayed, and has all that it had received. */
  #restart(server: Server): void {
    server.startedAt = this.now;
    server.replayed = this.#random(Math.min(server.replayed, server.log.length) + 1);
    server.isRedoing = false;
    server.askedAt = undefined;
    server.answer = undefined;
  }

  #failOver(): void {
    if (this.#primary !== undefined) {
      this.#primary.isAlive = false;
      this.#primary.startedAt = this.now;
      this.#primary.askedAt = undefined;
      this.#primary = undefined;
      this.viewed = undefined;
      return;
    }
    const next = this.servers.find(({ isAlive }) => isAlive);
    if (next === undefined) return;
    this.#primary = next;
    next.timeline += 1;
    next.replayed = next.log.length;
    next.isRedoing = false;
    for (const commit of next.log) commit.isShownByPrimary = true;
    // Its WAL goes on where what it has ends: numbers that others have used are used again.
    this.#lsn = next.log.at(-1)?.lsn ?? 100;
  }

  #ask(server: Server, told: (member: string, position: NodePosition) => void): void {
    if (!server.isAlive) return;
    if (server.askedAt === undefined) server.askedAt = this.now;
    else if (server.answer === undefined) server.answer = this.#position(server, server.askedAt);
    else {
      told(server.name, server.answer);
      server.askedAt = undefined;
      server.answer = undefined;
    }
  }

  #position(server: Server, askedAt: number): NodePosition {
    const isPrimary = server === this.#primary;
    const all = server.log.at(-1)?.lsn ?? 0;
    const replayed = server.log[server.replayed - 1]?.lsn ?? 0;
    const shown = this.shown(server);
    // Transactions have the numbers of their commits.
    const running = isPrimary ? server.log.filter(({ id }) => !shown.has(id)).map(({ id }) => id) : [];
    const xmax = Math.max(0, ...shown) + 1;
    const connectedAt = server.startedAt + this.#random(Math.max(1, askedAt - server.startedAt));
    return {
      askedAt,
      connectedAt,
      isPrimary,
      timeline: server.timeline,
      lsn: isPrimary ? all : replayed,
      boundLsn: isPrimary || server.isFed ? all : undefined,
      xmin: Math.min(xmax, ...running),
      xmax,
    };
  }
}
