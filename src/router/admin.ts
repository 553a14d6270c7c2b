/** The admin console of a running router: its facts, its orders, and the window of its averages. */
import { newWindow, STATS_PERIOD_MS, turnWindow } from '../admin/index.ts';
import { RouterAdmin } from './admin-actions.ts';
import type { AdminShared } from './admin-client.ts';
import { countersOf, gatherFacts } from './admin-facts.ts';
import type { Listener } from './listener.ts';
import { rehearse } from './rehearsal.ts';
import type { Shared } from './shared.ts';

export interface AdminParts {
  readonly shared: Shared;
  readonly listener: Listener;
  /** Ends the router in order. */
  readonly stop: () => void;
  readonly signal: AbortSignal;
  readonly version: string;
}

export function openAdmin({ shared, listener, stop, signal, version }: AdminParts): AdminShared {
  const { clock, log, counters } = shared;
  const actions = new RouterAdmin(shared, listener, stop);
  let window = newWindow(clock.wallNow());
  const turning = setInterval(() => {
    const stats = Array.from(shared.servers.tallies, ([name, tally]) => [name, countersOf(tally)] as const);
    window = turnWindow(window, clock.wallNow(), new Map(stats));
  }, STATS_PERIOD_MS);
  signal.addEventListener(
    'abort',
    () => {
      clearInterval(turning);
      actions.close();
    },
    { once: true },
  );
  return {
    get config() {
      return shared.config;
    },
    log,
    facts: () =>
      gatherFacts({
        shared,
        clients: () => listener.clients,
        disabled: () => listener.disabled,
        state: () => actions.state,
        window: () => window,
        version,
      }),
    routeOf: (question) => rehearse(shared, question),
    actions,
    countError: (code) => counters.error(code),
    forget: (client) => shared.forget(client),
  };
}
