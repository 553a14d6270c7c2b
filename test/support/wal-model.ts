/**
 * A cluster as a model: one primary that writes WAL, standbys that receive, replay, stop and start again, failovers that
 * lose what was not received. Transactions end in another order than they began in, and some are rolled back. Commits are shown
 * by the primary only some time after they are in WAL, as while it waits for a synchronous standby; and there is WAL that no
 * standby gets for a while, as of hint bits. A standby shows a commit while it still redoes it, and counts it as replayed later.
 * Time is a counter. What is known of the servers comes from questions whose answers are late.
 */
import type { NodePosition } from '../../src/routing/index.ts';

/** The end of a transaction. */
interface Ending {
  /** Of this one alone, where transactions after a failover have numbers again that were lost. */
  readonly id: number;
  readonly xid: number;
  readonly isCommit: boolean;
  readonly lsn: number;
  isShownByPrimary: boolean;
}

class Server {
  readonly name: string;
  log: readonly Ending[] = [];
  replayed = 0;
  /** The next ending is being redone: it is shown, and not counted as replayed. */
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
  /** The primary, or the last one while there is none. */
  #last = this.#primary;
  #endings = 0;
  #lsn = 100;
  #nextXid = 1;
  /** Transactions of the primary that have not ended. */
  #open: number[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** What a read on the server would see. */
  shown(server: Server): ReadonlySet<number> {
    return commitsOf(this.#ended(server));
  }

  /** What has ended, as the server shows it. */
  #ended(server: Server): readonly Ending[] {
    if (server === this.#primary) return server.log.filter((one) => one.isShownByPrimary);
    return server.log.slice(0, server.replayed + (server.isRedoing ? 1 : 0));
  }

  /** What has outlived all failovers so far. */
  get surviving(): ReadonlySet<number> {
    return commitsOf(this.#last?.log ?? []);
  }

  get primary(): Server | undefined {
    return this.#primary?.isAlive === true && this.viewed === this.#primary.name ? this.#primary : undefined;
  }

  /** A commit, shown when it is acknowledged, or later. */
  commit(isShownByPrimary: boolean): number | undefined {
    const primary = this.#primary;
    if (primary?.isAlive !== true) return undefined;
    if (this.#open.length === 0 || this.#random(2) === 0) this.#begin();
    return this.#end(primary, this.#someOpen(), { isCommit: true, isShownByPrimary });
  }

  #begin(): void {
    this.#open.push(this.#nextXid);
    this.#nextXid += 1;
  }

  #someOpen(): number {
    return this.#open[this.#random(this.#open.length)] ?? 0;
  }

  #end(
    primary: Server,
    xid: number,
    how: { readonly isCommit: boolean; readonly isShownByPrimary: boolean },
  ): number {
    this.#open = this.#open.filter((one) => one !== xid);
    this.#endings += 1;
    this.#lsn += 1 + this.#random(50);
    primary.log = [...primary.log, { id: this.#endings, xid, lsn: this.#lsn, ...how }];
    return this.#endings;
  }

  /** Something happens that no session does. */
  step(told: (member: string, position: NodePosition) => void): void {
    this.now += 1;
    const server = this.servers[this.#random(this.servers.length)];
    if (server === undefined) return;
    switch (this.#random(13)) {
      case 0:
        this.#work();
        return;
      case 1:
        if (this.#random(6) > 0) return;
        for (const ending of this.#primary?.log ?? []) ending.isShownByPrimary = true;
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
        // The view may be without a primary for a moment, and find the same one again.
        this.viewed = this.#random(6) === 0 ? undefined : this.#primary?.name;
        return;
      default:
        this.#ask(server, told);
    }
  }

  /** Of others than the sessions. */
  #work(): void {
    const primary = this.#primary;
    if (primary?.isAlive !== true) return;
    switch (this.#random(8)) {
      case 0:
        this.#begin();
        return;
      case 1:
        if (this.#open.length === 0) return;
        this.#end(primary, this.#someOpen(), { isCommit: false, isShownByPrimary: true });
        return;
      case 2:
        // No standby gets this before what comes behind it.
        this.#lsn += this.#random(50);
        return;
      default:
        this.commit(this.#random(2) === 0);
    }
  }

  #follow(server: Server): void {
    if (this.#primary === undefined) return;
    const isOnBranch = server.log.every((ending, index) => this.#primary?.log[index] === ending);
    if (!isOnBranch) {
      // Rewound: it starts with what both have.
      server.log = server.log.filter((ending, index) => this.#primary?.log[index] === ending);
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
    // One that is not of the last primary's timeline has another history, and is no candidate.
    const next = this.servers.find(({ isAlive, timeline }) => isAlive && timeline === this.#last?.timeline);
    if (next === undefined) return;
    this.#primary = next;
    this.#last = next;
    next.timeline += 1;
    // Its WAL and its transactions go on where what it has ends: numbers that others have used are used again.
    this.#lsn = next.log.at(-1)?.lsn ?? 100;
    const ended = new Set(next.log.map(({ xid }) => xid));
    this.#nextXid = Math.max(0, ...ended) + 1;
    for (let xid = 1; xid < this.#nextXid; xid += 1)
      if (!ended.has(xid)) this.#end(next, xid, { isCommit: false, isShownByPrimary: true });
    this.#open = [];
    next.replayed = next.log.length;
    next.isRedoing = false;
    for (const ending of next.log) ending.isShownByPrimary = true;
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
    const all = isPrimary ? this.#lsn : (server.log.at(-1)?.lsn ?? 0);
    const replayed = server.log[server.replayed - 1]?.lsn ?? 0;
    const ended = new Set(this.#ended(server).map(({ xid }) => xid));
    const xmax = Math.max(0, ...ended) + 1;
    let xmin = 1;
    while (ended.has(xmin)) xmin += 1;
    const connectedAt = server.startedAt + this.#random(Math.max(1, askedAt - server.startedAt));
    return {
      askedAt,
      connectedAt,
      isPrimary,
      timeline: server.timeline,
      lsn: isPrimary ? all : replayed,
      boundLsn: isPrimary || server.isFed ? all : undefined,
      xmin,
      xmax,
    };
  }
}

function commitsOf(log: readonly Ending[]): ReadonlySet<number> {
  return new Set(log.filter(({ isCommit }) => isCommit).map(({ id }) => id));
}
