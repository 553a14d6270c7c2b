/**
 * The one impure file here: folds the store's watch of a cluster's keys into views. `onView` is called in the
 * same tick as the event that made the view, because a router's failover time is counted from that event.
 */
import { type Clock, ERROR_TABLE, failure, type Log, pause, rethrowBug } from '../base/index.ts';
import type { Dcs, WatchHandler } from '../dcs/index.ts';
import type { KeyLayout } from './layout.ts';
import { applyChanges, applySnapshot, type ClusterView, emptyView, leaderChange } from './view.ts';

export interface WatchClusterOptions {
  readonly dcs: Dcs;
  readonly layout: KeyLayout;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /** How often the store is asked to prove that the view is current. Milliseconds. */
  readonly contactEveryMs: number;
  /** A new view; `changedAt` is the monotonic instant at which its event arrived. */
  readonly onView: (view: ClusterView, changedAt: number) => void;
  /** The store proved that the view was current at `sentAtMs` (monotonic). */
  readonly onContact: (sentAtMs: number) => void;
}

const UNREACHABLE_HINT = ERROR_TABLE['dcs-unavailable'].hint;

const AGAIN_MS = 1000;

/**
 * Watches until the signal aborts, and never ends before: the store's watch survives the loss of any endpoint, and
 * should it fail all the same, it is begun anew, since without it a router or agent is blind. Rejects for a bug only.
 */
export async function watchCluster(options: WatchClusterOptions): Promise<void> {
  const { log, signal } = options;
  const watch = followedBy(options);
  while (!signal.aborted) {
    try {
      await watch();
    } catch (cause) {
      rethrowBug(cause);
      log.error('watch-ended', failure(cause));
    }
    await pause(AGAIN_MS, signal);
  }
}

/** One watch of the store after another, folded into one view. */
function followedBy(options: WatchClusterOptions): () => Promise<void> {
  const { dcs, layout, clock, log, signal } = options;
  let view = emptyView;
  const become = (next: ClusterView): void => {
    if (next === view) return;
    const change = leaderChange(view, next);
    if (change !== undefined) log.info('leader-changed', { ...change, revision: next.revision });
    view = next;
    options.onView(view, clock.now());
  };
  const handler: WatchHandler = {
    snapshot: (snapshot) => become(applySnapshot(view, snapshot, layout)),
    changes: (revision, events) => become(applyChanges(view, { revision, events }, layout)),
    contact: (sentAt) => options.onContact(sentAt),
    disconnected: (because) => log.warn('dcs-watch-interrupted', { because, hint: UNREACHABLE_HINT }),
  };
  return async () =>
    await dcs.watch(layout.prefix, handler, { contactEveryMs: options.contactEveryMs, signal });
}
