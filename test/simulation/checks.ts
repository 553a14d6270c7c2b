/**
 * What must be true. After each step: no two servers can acknowledge writes, and no two agents believe that the lease is
 * theirs. At each promotion: nothing is left behind that the durability policy promised to keep, or that clients may have
 * read meanwhile. Whenever clients are let in: they see no row that is nowhere else yet. At the end: one primary
 * that everybody follows, with every acknowledged write but those that a promotion was allowed to leave behind.
 *
 * One allowance: a host that was paused as a whole goes on where it stood, so it gets the time that its fence needs.
 */
import { isRecord, parseJson } from '../../src/base/index.ts';
import { applySnapshot, emptyView, type KeyLayout } from '../../src/topology/index.ts';
import type { Events } from './events.ts';
import type { Host } from './host.ts';
import type { Network } from './network.ts';
import type { Server, Watcher } from './server.ts';
import type { Store } from './store.ts';
import { requiredBy } from './waiting.ts';
import { holds, type Position } from './wal.ts';
import type { Durability } from './world.ts';

export interface ChecksParts {
  readonly events: Events;
  readonly network: Network;
  readonly store: Store;
  readonly layout: KeyLayout;
  readonly hosts: ReadonlyMap<string, Host>;
  readonly maximumLagBytes: number;
  readonly durability: Durability;
  readonly marginMs: number;
  readonly trace: ((line: string) => void) | undefined;
}

interface Term {
  readonly isTaken: boolean;
  readonly optime: number;
  readonly newestTimeline: number;
  /** The candidate of a switchover whose leader has just given the key away. */
  readonly handedOverTo: string | undefined;
  /** Other standbys that nothing had been wrong with for a while, and what they had. */
  readonly others: readonly { readonly name: string; readonly wal: Position }[];
}

const NO_TERM: Term = {
  isTaken: false,
  optime: 0,
  newestTimeline: 0,
  handedOverTo: undefined,
  others: [],
};
/** Longer than an election and its courtesies. */
const WELL_MS = 2000;

export class Checks implements Watcher {
  readonly #parts: ChecksParts;
  readonly problems: string[] = [];
  /** Writes that were acknowledged, and which no promotion has left behind. */
  #acknowledged: Position[] = [];
  /** Those that were acknowledged while the store promised that they would be kept. */
  readonly #promised = new Set<Position>();
  readonly #answered = new WeakSet<Position>();
  /** Rows that were never acknowledged, and that clients could read once their server had started anew. */
  #shown: Position[] = [];
  /** What the store said when the present leader took the key; undefined while there is none. */
  #term: Term | undefined;
  #previous: string | undefined;
  readonly counts = { acknowledged: 0, leftBehind: 0, promotions: 0 };

  constructor(parts: ChecksParts) {
    this.#parts = parts;
    parts.store.watchers.add(() => this.#leaderKeyChanged());
  }

  get trace(): Watcher['trace'] {
    return this.#parts.trace;
  }

  wrong(what: string): void {
    const line = `${Math.round(this.#parts.events.now)} ms: ${what}`;
    this.#parts.trace?.(`WRONG: ${what}`);
    this.problems.push(line);
  }

  acknowledged(server: Server, record: Position): void {
    this.#answered.add(record);
    const other = this.#writers().find((each) => each !== server);
    if (other === undefined || this.#isExcused(other)) {
      this.counts.acknowledged += 1;
      this.#acknowledged.push(record);
      if (this.#isPromised(server)) this.#promised.add(record);
    } else if (!this.#isExcused(server))
      this.wrong(
        `${server.name} acknowledges ${record.branch.number}/${record.lsn} while ${other.name} can, too`,
      );
  }

  opened(): void {
    this.step();
  }

  /** A restart ends the waiting of commits, which all come to be seen. */
  shown(server: Server): void {
    const { durability, hosts, store, layout } = this.#parts;
    const row = server.lastWrite;
    if (durability !== 'quorum' || row === undefined || this.#answered.has(row)) return;
    if (row.branch.writer !== server.name || !holds(server.wal, row)) return;
    // Whoever was promoted to the timeline that a standby is on had all of its history, this row included.
    if (server.inRecovery && server.wal.branch.writer !== server.name) return;
    const others = Array.from(hosts.values(), (host) => host.server).filter(
      (other) => other !== server && other.position !== undefined && holds(other.wal, row),
    );
    const what = `${server.name} shows its write at ${row.branch.number}/${row.lsn}, which`;
    this.#shown.push(row);
    if (server.inRecovery) {
      const leader = store.data.get(layout.leader)?.value;
      if (!others.some(({ name }) => name === leader)) this.wrong(`${what} the leader has not`);
      return;
    }
    const { acks } = requiredBy(server.requirement);
    const json = parseJson(store.data.get(layout.sync)?.value ?? '');
    const isAlone = isRecord(json) && json['leader'] === server.name && json['sync_standby'] === null;
    if (acks === 0 ? !isAlone : others.length < acks)
      this.wrong(`${what} ${others.length} others have, of ${acks}`);
  }

  promoted(server: Server, from: Position): void {
    const { maximumLagBytes, trace } = this.#parts;
    // One that was begun before its host was paused, and ends after.
    if (this.#isExcused(server) && this.#writers().some((each) => each !== server)) return;
    this.counts.promotions += 1;
    trace?.(`${server.name}: promoted from ${from.branch.number}/${from.lsn}`);
    const { optime, newestTimeline, handedOverTo, others } = this.#term ?? NO_TERM;
    const kept = this.#acknowledged.filter((record) => holds(from, record));
    for (const record of this.#acknowledged) {
      if (holds(from, record)) continue;
      const what = `the acknowledged write at ${record.branch.number}/${record.lsn} is lost: ${server.name} is promoted from ${from.branch.number}/${from.lsn}`;
      if (newestTimeline > from.branch.number)
        this.wrong(`${what}, the cluster was on timeline ${newestTimeline}`);
      else if (record.lsn <= optime - maximumLagBytes) this.wrong(`${what}, the cluster was at ${optime}`);
      else if (handedOverTo === server.name) this.wrong(`${what} by a switchover`);
      if (this.#promised.has(record)) this.wrong(`${what}, and was promised to be kept`);
      const keeper =
        this.#parts.durability === 'static' ? others.find(({ wal }) => holds(wal, record)) : undefined;
      if (keeper !== undefined) this.wrong(`${what} although ${keeper.name} had it and was well`);
    }
    for (const row of this.#shown)
      if (!holds(from, row))
        this.wrong(
          `the row at ${row.branch.number}/${row.lsn}, which could be read, is lost: ${server.name} is promoted from ${from.branch.number}/${from.lsn}`,
        );
    this.counts.leftBehind += this.#acknowledged.length - kept.length;
    this.#acknowledged = kept;
  }

  /** The key `sync` is that of this server's term. */
  #isPromised({ name }: Server): boolean {
    const { store, layout } = this.#parts;
    const json = parseJson(store.data.get(layout.sync)?.value ?? '');
    return isRecord(json) && json['leader'] === name;
  }

  /** An election is judged by what the store said at its instant. */
  #leaderKeyChanged(): void {
    const { store, layout, hosts } = this.#parts;
    const last = store.history.at(-1);
    const change = last?.events.find(
      (event) => (event.type === 'put' ? event.entry.key : event.key) === layout.leader,
    );
    if (change === undefined) return;
    if (change.type === 'delete') {
      const agent = this.#previous === undefined ? undefined : hosts.get(this.#previous)?.agent;
      // One that is frozen in the middle of it gives nothing away: its lease runs out, and that is a failover.
      const isHandedOver = !store.isExpiring && agent?.ctx.jobs.running === 'hand-over';
      const request = isHandedOver ? parseJson(store.data.get(layout.failover)?.value ?? '') : undefined;
      const candidate = isRecord(request) ? request['member'] : undefined;
      this.#term = { ...NO_TERM, handedOverTo: typeof candidate === 'string' ? candidate : undefined };
    } else if (change.entry.value !== this.#previous || this.#term?.isTaken !== true) {
      const view = applySnapshot(emptyView, store.data.range(layout.prefix), layout);
      const handedOverTo = this.#term?.isTaken === false ? this.#term.handedOverTo : undefined;
      this.#previous = change.entry.value;
      this.#term = {
        optime: view.optime ?? 0,
        newestTimeline: view.newestTimeline,
        handedOverTo,
        isTaken: true,
        others: this.#othersThanLeader(change.entry.value),
      };
    }
  }

  /** Whoever asks them gets an answer in time, and they see the store; nobody has asked for another leader. */
  #othersThanLeader(leader: string): Term['others'] {
    const { events, network, store, layout, hosts } = this.#parts;
    const chosen = hosts.get(leader);
    if (chosen === undefined || store.data.get(layout.failover) !== undefined || store.slowMs > 0) return [];
    return [...hosts.values()].flatMap(({ site, server, agent, troubledAt, isPaused }) => {
      const isThere = server.isAnswering && server.inRecovery && server.slowMs === 0 && !isPaused;
      const isWell =
        isThere &&
        agent?.process.isRunning === true &&
        agent.ctx.jobs.running === undefined &&
        agent.ctx.state.memory.standBackUntil === undefined &&
        events.now - troubledAt >= WELL_MS &&
        network.isCalm(site, WELL_MS) &&
        network.isCalm(chosen.site, WELL_MS);
      return isWell && site.name !== leader ? [{ name: site.name, wal: server.wal }] : [];
    });
  }

  /** After each event. */
  step(): void {
    let writers = 0;
    let holders = 0;
    for (const host of this.#parts.hosts.values()) {
      if (host.server.mayAcknowledge) writers += 1;
      if (host.agent?.ctx.keeper.isHolder === true && host.agent.process.isRunning) holders += 1;
    }
    if (writers > 1) this.#checkWriters();
    if (holders > 1) this.#checkHolders();
  }

  #writers(): Server[] {
    return Array.from(this.#parts.hosts.values(), ({ server }) => server).filter(
      (server) => server.mayAcknowledge,
    );
  }

  #checkWriters(): void {
    const writers = this.#writers().filter((server) => !this.#isExcused(server));
    if (writers.length > 1)
      this.wrong(`${writers.map(({ name }) => name).join(' and ')} can acknowledge writes`);
  }

  #checkHolders(): void {
    const holders = [...this.#parts.hosts.values()].filter(
      ({ agent }) => agent?.process.isRunning === true && agent.ctx.keeper.isSafe(0),
    );
    if (holders.length > 1)
      this.wrong(`${holders.map(({ site }) => site.name).join(' and ')} believe that the lease is theirs`);
  }

  /** The fence begins when its host goes on, and kills by half of its margin. */
  #isExcused(server: Server): boolean {
    const host = this.#parts.hosts.get(server.name);
    return host !== undefined && this.#parts.events.now - host.resumedAt < this.#parts.marginMs * 0.5 + 100;
  }

  /** Why the cluster is not whole; undefined when it is. */
  whyNotWhole(): string | undefined {
    const hosts = [...this.#parts.hosts.values()];
    const leaders = hosts.filter(({ agent }) => agent?.ctx.keeper.isSafe(0) === true);
    const [leader] = leaders;
    if (leader === undefined || leaders.length > 1) return `${leaders.length} leaders`;
    const primary = leader.server;
    if (!primary.mayAcknowledge || primary.run !== 'accepting')
      return `${primary.name} leads and takes no writes`;
    for (const { server, agent } of hosts) {
      if (agent === undefined) return `${server.name} has no agent`;
      if (server === primary) continue;
      if (server.run !== 'accepting' || !server.inRecovery) return `${server.name} is no running standby`;
      if (!streamsFrom(server, primary)) return `${server.name} does not stream from ${primary.name}`;
      if (!holds(primary.wal, server.wal)) return `${server.name} has WAL that ${primary.name} has not`;
    }
    return undefined;
  }

  /** The cluster is whole: what was promised is there. */
  atEnd(): void {
    const [leader] = [...this.#parts.hosts.values()].filter(
      ({ agent }) => agent?.ctx.keeper.isSafe(0) === true,
    );
    if (leader === undefined) return;
    for (const record of this.#acknowledged) {
      if (!holds(leader.server.wal, record))
        this.wrong(
          `the acknowledged write at ${record.branch.number}/${record.lsn} is lost without a promotion`,
        );
    }
  }
}

/** Itself, or through others. */
function streamsFrom(standby: Server, primary: Server): boolean {
  const seen = new Set<Server>();
  let from: Server | undefined = standby;
  while (from !== undefined && from !== primary && !from.isTwin && !seen.has(from)) {
    seen.add(from);
    from = from.receivesFrom;
  }
  return from === primary;
}
