/**
 * Which nodes are fit for reads, for all sessions of a router: gathers what connections, positions and served reads tell,
 * has the machines of `routing` judge it, and sets each node's share in the world. This is the one place that decides about
 * fitness; who may be read from at all is said by the view (topology/candidates). A node that cannot be connected to is tried
 * in the background, so that only one client pays for finding out.
 */
import { type Clock, background, describe, type Log, pause, rethrowBug } from '../base/index.ts';
import {
  type HealthEvent,
  healthShare,
  judgePosition,
  type Lag,
  type LagLimit,
  type Load,
  nextHealth,
  nextLoad,
  type NodeHealth,
  noLoad,
  type Position,
  slowBoundMs,
  unknownHealth,
  WalTrail,
} from '../routing/index.ts';
import type { Latencies } from './latencies.ts';
import { askIfAlive } from './node-question.ts';
import type { ServerTls } from './server-tls.ts';
import type { ClusterWorld } from './world.ts';

export interface NodeHealthsOptions {
  readonly world: ClusterWorld;
  readonly latencies: Latencies;
  readonly lagLimit: () => LagLimit;
  /** Some node should have answered within this time. */
  readonly answerWithinMs: () => number;
  /** What a server that can be reached must be able to speak. */
  readonly tls: () => ServerTls;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** What people see of one node. */
export interface Fitness {
  readonly state: NodeHealth['state'] | 'overloaded';
  readonly because: string;
  readonly lag: Lag | undefined;
}

interface Node {
  health: NodeHealth;
  load: Load;
  lag: Lag | undefined;
  /** Of its last answer; and of its fastest one, which is its distance. */
  tookMs: number | undefined;
  usualMs: number;
  heardAt: number;
  /** Reads that were served there at the last judgement of its load. */
  served: number;
  isTried: boolean;
}

const TICK_MS = 250;
const TRY_EVERY_MS = 500;
const TRY_TIMEOUT_MS = 1000;
/** With fewer since the last judgement nothing is said about a node's load. */
const READS_MIN = 5;

export class NodeHealths {
  readonly #options: NodeHealthsOptions;
  readonly #nodes = new Map<string, Node>();
  readonly #trail = new WalTrail();
  readonly #timer: NodeJS.Timeout;

  constructor(options: NodeHealthsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  of(member: string): Fitness {
    const { health, load, lag } = this.#nodeOf(member);
    const isOverloaded = health.state === 'in' && load.share < 1;
    return {
      state: isOverloaded ? 'overloaded' : health.state,
      because: health.state === 'in' ? (isOverloaded ? 'slow-reads' : '') : (health.because ?? ''),
      lag,
    };
  }

  /** A connection to the member was opened. */
  connected(member: string): void {
    this.#step(member, { kind: 'connected' });
  }

  /** None could be. */
  connectFailed(member: string, detail: string): void {
    this.#step(member, { kind: 'connect-failed' }, detail);
  }

  /** It has said where it is. */
  answered(member: string, position: Position): void {
    const { lagLimit, world } = this.#options;
    if (!position.isInRecovery && member === world.leader()) this.#trail.note(member, position);
    const node = this.#nodeOf(member);
    node.lag = position.isInRecovery ? this.#trail.lagOf(position) : undefined;
    node.tookMs = position.answeredAt - position.askedAt;
    node.heardAt = position.answeredAt;
    node.usualMs = Math.min(node.usualMs, node.tookMs);
    const bounds = {
      lag: node.lag,
      lagLimit: lagLimit(),
      slowAfterMs: slowBoundMs(node.usualMs, this.#fastestBut(member)),
    };
    this.#step(member, { kind: 'answered', finding: judgePosition(position, bounds) });
  }

  /** It has not. While nobody answers it may well be this host that hears nothing, and nothing is said about the node. */
  silent(member: string, detail: string): void {
    const node = this.#nodeOf(member);
    node.lag = undefined;
    node.tookMs = undefined;
    this.#trail.silent(member);
    const since = this.#options.clock.now() - this.#options.answerWithinMs();
    const isHeard = [...this.#nodes].some(([name, { heardAt }]) => name !== member && heardAt > since);
    if (isHeard) this.#step(member, { kind: 'silent' }, detail);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #step(member: string, event: HealthEvent, detail?: string): void {
    const { clock, log, world } = this.#options;
    if (world.candidate(member) === undefined) return;
    const node = this.#nodeOf(member);
    const before = node.health;
    node.health = nextHealth(before, event, clock.now());
    if (node.health === before) return;
    this.#share(member, node);
    const { state, because } = node.health;
    if (state === before.state && because === before.because) return;
    const isCut = state === 'out' && (because === 'unreachable' || because === 'silent');
    world.setReachable(member, !isCut);
    if (state !== 'out') log.info(`node-${state}`, { member, was: because });
    else log.warn('node-out', { member, because, detail, lag: node.lag });
    if (state === 'out' && because === 'unreachable') this.#try(member, node);
  }

  #share(member: string, { health, load }: Node): void {
    const { clock, world } = this.#options;
    world.setShare(member, healthShare(health, clock.now()) * load.share);
  }

  #try(member: string, node: Node): void {
    if (node.isTried) return;
    node.isTried = true;
    background(this.#options.log, `trying to reach ${member}`, this.#tryAgain(member, node));
  }

  async #tryAgain(member: string, node: Node): Promise<void> {
    const { log, signal, tls, world } = this.#options;
    let told: string | undefined;
    while (node.health.state === 'out' && node.health.because === 'unreachable') {
      await pause(TRY_EVERY_MS, signal);
      const candidate = world.candidate(member);
      if (signal.aborted || candidate === undefined) break;
      try {
        const { host, port } = candidate;
        await askIfAlive({ host, port }, { tls: tls(), timeoutMs: TRY_TIMEOUT_MS });
        this.connected(member);
      } catch (cause) {
        rethrowBug(cause);
        const because = describe(cause);
        if (because !== told) log.info('node-still-out', { member, because });
        told = because;
      }
    }
    node.isTried = false;
  }

  #tick(): void {
    const { world } = this.#options;
    for (const name of this.#nodes.keys()) if (world.candidate(name) === undefined) this.#nodes.delete(name);
    for (const [name, node] of this.#nodes) {
      this.#step(name, { kind: 'tick' });
      this.#judgeLoad(name, node);
      this.#share(name, node);
    }
  }

  #judgeLoad(member: string, node: Node): void {
    const { latencies, log } = this.#options;
    const { count } = latencies.at(member).reads;
    const isJudged = count - node.served >= READS_MIN;
    node.served = count;
    const before = node.load;
    const costMs = isJudged ? this.#costOf(member, node) : undefined;
    const otherMs = this.#cheapestBut(member);
    node.load = nextLoad(before, { costMs, otherMs });
    if ((before.share === 1) === (node.load.share === 1)) return;
    if (node.load.share < 1) log.warn('node-overloaded', { member, costMs, otherMs });
    else log.info('node-not-overloaded', { member });
  }

  /** Of a read, the wait for a connection included; where none was served yet, what it takes to get there and back. */
  #costOf(member: string, { tookMs }: Node): number {
    const { reads, waits } = this.#options.latencies.at(member);
    return (reads.count === 0 ? (tookMs ?? 0) : reads.ms) + waits.ms;
  }

  #cheapestBut(member: string): number | undefined {
    let cheapest: number | undefined;
    for (const [name, node] of this.#nodes) {
      if (name === member || node.health.state !== 'in') continue;
      if ((this.#options.world.candidate(name)?.weight ?? 0) === 0) continue;
      const cost = this.#costOf(name, node);
      if (cheapest === undefined || cost < cheapest) cheapest = cost;
    }
    return cheapest;
  }

  #fastestBut(member: string): number {
    let fastest = Number.POSITIVE_INFINITY;
    for (const [name, { tookMs }] of this.#nodes) {
      if (name !== member && tookMs !== undefined && tookMs < fastest) fastest = tookMs;
    }
    return fastest;
  }

  #nodeOf(member: string): Node {
    let node = this.#nodes.get(member);
    if (node === undefined) {
      node = {
        health: unknownHealth,
        load: noLoad,
        lag: undefined,
        tookMs: undefined,
        usualMs: Number.POSITIVE_INFINITY,
        heardAt: Number.NEGATIVE_INFINITY,
        served: 0,
        isTried: false,
      };
      this.#nodes.set(member, node);
    }
    return node;
  }
}
