/**
 * The one impure file here: folds the store's watch of a cluster's keys into views. `onView` is called in the
 * same tick as the event that made the view, because a router's failover time is counted from that event.
 */
import { type Clock, ERROR_TABLE, type Log } from '../base/index.ts';
import type { Dcs } from '../dcs/index.ts';
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

/** Watches until the signal aborts; survives the loss of any endpoint. Rejects only if a callback throws. */
export async function watchCluster(options: WatchClusterOptions): Promise<void> {
  const { dcs, layout, clock, log, signal } = options;
  let view = emptyView;
  const become = (next: ClusterView): void => {
    if (next === view) return;
    const change = leaderChange(view, next);
    if (change !== undefined) log.info('leader-changed', { ...change, revision: next.revision });
    view = next;
    options.onView(view, clock.now());
  };
  await dcs.watch(
    layout.prefix,
    {
      snapshot: (snapshot) => become(applySnapshot(view, snapshot, layout)),
      changes: (revision, events) => become(applyChanges(view, { revision, events }, layout)),
      contact: (sentAt) => options.onContact(sentAt),
      disconnected: (because) => log.warn('dcs-watch-interrupted', { because, hint: UNREACHABLE_HINT }),
    },
    { contactEveryMs: options.contactEveryMs, signal },
  );
}
