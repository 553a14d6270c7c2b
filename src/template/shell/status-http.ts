/** How the files stand, over HTTP: what each was rendered from, when that last succeeded, what went wrong last, and when it is tried again. */
import { Hono } from 'hono';
import type { Clock, ListenPlace } from '../../base/index.ts';
import { type HttpListener, listenHttp } from '../../metrics/index.ts';
import type { KeeperStatus } from './keeper.ts';

/** Keys are stable; instants are ISO 8601. */
export interface ResourceStatus {
  readonly resource: string;
  readonly dest: string;
  /** The file is as it should be, and its reader knows. */
  readonly applied: boolean;
  /** Of the store; null before the first rendering. */
  readonly revision: string | null;
  readonly last_success: string | null;
  readonly last_error: { readonly because: string; readonly message: string; readonly at: string } | null;
  readonly next_retry: string | null;
  readonly reload_owed: boolean;
}

export async function serveStatus(
  statuses: () => readonly KeeperStatus[],
  clock: Clock,
  place: ListenPlace,
): Promise<HttpListener> {
  const app = new Hono();
  const told = (): ResourceStatus[] => statuses().map((status) => statusOf(status, clock));
  app.get('/healthz', (context) => context.json({ status: 'alive' }));
  app.get('/readyz', (context) => {
    const missing = told().flatMap(({ resource, applied }) => (applied ? [] : [resource]));
    return missing.length === 0
      ? context.json({ ready: true })
      : context.json({ ready: false, missing }, 503);
  });
  app.get('/resources', (context) => context.json({ resources: told() }));
  return await listenHttp(app, place);
}

function statusOf(status: KeeperStatus, clock: Clock): ResourceStatus {
  const { resource, dest, revision, isReloadOwed, succeededAt, trouble, lastTrouble, retryAt } = status;
  const sinceEpoch = clock.wallNow() - clock.now();
  const instant = (at: number | undefined): string | null =>
    at === undefined ? null : new Date(sinceEpoch + at).toISOString();
  return {
    resource,
    dest,
    applied: trouble === undefined && succeededAt !== undefined && !isReloadOwed,
    revision: revision ?? null,
    last_success: instant(succeededAt),
    last_error:
      lastTrouble === undefined
        ? null
        : {
            because: lastTrouble.because,
            message: lastTrouble.message,
            at: instant(lastTrouble.at) ?? '',
          },
    next_retry: instant(retryAt),
    reload_owed: isReloadOwed,
  };
}
