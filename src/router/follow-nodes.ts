/**
 * Follows a cluster of listed servers, as `watchCluster` follows one in etcd: asks each of them on a connection of
 * its own, in its own time, so that one that is slow delays nobody; what the answers mean is judged in
 * topology/static-view. A question that is not answered in time costs its connection, so no answer can come late.
 */
import { type Clock, describe, type Log, pause, rethrowBug, withDeadline } from '../base/index.ts';
import {
  type ClusterView,
  judgeCluster,
  leaderChange,
  type NodeAnswer,
  type StaticNode,
  unknownCluster,
} from '../topology/index.ts';
import { askIfAlive, askWhatItIs, noAnswer } from './node-question.ts';
import { OwnConnection, type OwnRole } from './own-connection.ts';
import type { ServerTls } from './server-tls.ts';

export interface FollowNodesOptions {
  readonly nodes: readonly StaticNode[];
  /** Whom to log in as; without one a server is only asked whether it is there. */
  readonly role: () => OwnRole | undefined;
  readonly tls: () => ServerTls;
  readonly periodMs: number;
  /** For one question, connecting included. */
  readonly timeoutMs: number;
  /** A server without an answer for longer counts as gone. */
  readonly freshMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** As in `WatchClusterOptions`. */
  readonly onView: (view: ClusterView, changedAt: number) => void;
  /** The view was judged at this instant, the silence of the servers included. */
  readonly onContact: (at: number) => void;
}

/** While there is no primary everyone is asked this often: whoever becomes it is to be found soon. */
const SEARCH_PERIOD_MS = 250;
/** Judgements per `freshMs`, for silence brings no event. */
const JUDGEMENTS_PER_FRESH = 10;

/** Until the signal aborts. Rejects for a bug only. */
export async function followNodes(options: FollowNodesOptions): Promise<void> {
  const { nodes, clock, freshMs, log, signal } = options;
  const answers = new Map<string, NodeAnswer>();
  let cluster = unknownCluster;
  const judge = (): void => {
    const now = clock.now();
    const before = cluster;
    cluster = judgeCluster(before, { nodes, answers, now, freshMs });
    const change = leaderChange(before.view, cluster.view);
    if (change !== undefined || cluster.because !== before.because) {
      log.info('leader-judged', { leader: cluster.view.leader, because: cluster.because });
    }
    options.onView(cluster.view, now);
    options.onContact(now);
  };
  const periodMs = (): number =>
    cluster.view.leader === undefined || cluster.because === 'leader-silent'
      ? Math.min(SEARCH_PERIOD_MS, options.periodMs)
      : options.periodMs;
  const follow = async (node: StaticNode): Promise<void> => {
    const asking = new Asking(node, options);
    try {
      while (!signal.aborted) {
        const answer = await asking.ask();
        if (answer !== undefined) answers.set(node.name, answer);
        if (!signal.aborted) judge();
        await pause(periodMs(), signal);
      }
    } finally {
      asking.close();
    }
  };
  const keepJudging = async (): Promise<void> => {
    while (!signal.aborted) {
      await pause(freshMs / JUDGEMENTS_PER_FRESH, signal);
      if (!signal.aborted && answers.size > 0) judge();
    }
  };
  await Promise.all([...nodes.map(follow), keepJudging()]);
}

/** The questions to one server, and its connection while it has one. */
class Asking {
  readonly #node: StaticNode;
  readonly #options: FollowNodesOptions;
  #connection: OwnConnection | undefined = undefined;
  #isSilent = false;

  constructor(node: StaticNode, options: FollowNodesOptions) {
    this.#node = node;
    this.#options = options;
  }

  /** Undefined: none in time. */
  async ask(): Promise<NodeAnswer | undefined> {
    const { clock, log, timeoutMs } = this.#options;
    const node = this.#node.name;
    const askedAt = clock.now();
    try {
      const answer = await withDeadline(this.#answer(askedAt), timeoutMs, `asking ${node} what it is`);
      if (this.#isSilent) log.info('node-answers', { node });
      this.#isSilent = false;
      return answer;
    } catch (cause) {
      rethrowBug(cause);
      if (!this.#isSilent) log.warn('node-silent', { node, because: describe(cause) });
      this.#isSilent = true;
      this.close();
      return undefined;
    }
  }

  close(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  async #answer(askedAt: number): Promise<NodeAnswer> {
    const { timeoutMs } = this.#options;
    const role = this.#options.role();
    const address = { host: this.#node.host, port: this.#node.port };
    if (role === undefined) {
      await askIfAlive(address, { tls: this.#options.tls(), timeoutMs });
      return { kind: 'alive', askedAt };
    }
    this.#connection ??= new OwnConnection({
      address,
      role,
      tls: this.#options.tls(),
      connectTimeoutMs: timeoutMs,
      failure: noAnswer,
    });
    return { kind: 'told', askedAt, ...(await askWhatItIs(this.#connection)) };
  }
}
