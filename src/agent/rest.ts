/**
 * The agent's REST API: Patroni's paths, documents and codes (health checks for load balancers, positions for elections).
 * Answers from what the loop last saw, so it works while PostgreSQL hangs; only a position is refreshed first, within a
 * short deadline, because an election must not compare positions of different ages.
 */
import { Hono } from 'hono';
import { describe, failure, rethrowBug, withDeadline } from '../base/index.ts';
import { parseFailsafe } from '../ha/index.ts';
import { METRICS_CONTENT_TYPE, renderMetrics } from '../metrics/index.ts';
import { isPaused, isTagSet, type TagValue } from '../topology/index.ts';
import type { AgentContext } from './context.ts';
import { clusterDocument, historyLine, parseLag, statusDocument, syncStandbys } from './documents.ts';
import { refreshStatus } from './look.ts';
import { samples } from './metrics.ts';
import { localServer } from './observe.ts';
import { checkAccess } from './rest-access.ts';
import { addWriteRoutes } from './rest-write.ts';

const REFRESH_MS = 250;

/** Routes by the first match, as Patroni does for GET, HEAD and OPTIONS; an unknown path is a failed health check (503). */
export function restApi(ctx: AgentContext): Hono {
  const app = new Hono();
  app.use('*', checkAccess(ctx));
  app.get('/patroni', async (c) => c.json(await freshStatus(ctx)));
  app.get('/cluster', (c) => c.json(clusterDocument(ctx.state.view, ctx.config.scope, syncStandbys(ctx))));
  app.get('/history', (c) => c.json(ctx.state.view.history.map(historyLine)));
  app.get('/config', (c) =>
    ctx.state.view.config === undefined ? c.body(null, 502) : c.json(ctx.state.view.config.value),
  );
  app.get('/failsafe', (c) => {
    const list = parseFailsafe(ctx.state.view.entries.get(ctx.layout.failsafe)?.value);
    return list === undefined ? c.body(null, 502) : c.json(Object.fromEntries(list));
  });
  app.get('/metrics', async (c) =>
    c.body(await renderMetrics(samples(ctx)), 200, { 'content-type': METRICS_CONTENT_TYPE }),
  );
  app.get('/liveness', (c) => c.body(null, isAlive(ctx) ? 200 : 503));
  app.get('/readiness', (c) => c.body(null, isReady(ctx) ? 200 : 503));
  addWriteRoutes(app, ctx);
  // A balancer's OPTIONS reads the status alone; HEAD is GET without its body already.
  app.options('*', async (c) => {
    const asked = await app.request(c.req.raw.url, { method: 'GET' });
    return c.body(null, asked.ok ? 200 : 503);
  });
  app.get('*', (c) => {
    const isPassed = health(ctx, c.req.path, new URL(c.req.url).searchParams);
    return c.json(statusDocument(ctx), isPassed ? 200 : 503);
  });
  app.onError((cause, c) => {
    rethrowBug(cause);
    ctx.log.warn('request-failed', { method: c.req.method, path: c.req.path, ...failure(cause) });
    return c.text(describe(cause), 503);
  });
  return app;
}

/** The document that elections compare: with the position of now, or with none, for an old one would be taken for it. */
export async function freshStatus(ctx: AgentContext): Promise<Readonly<Record<string, unknown>>> {
  return statusDocument(ctx, await isFresh(ctx));
}

/** A question that the server has been asked already may be answered by how it was before this one came. */
async function isFresh(ctx: AgentContext): Promise<boolean> {
  const { state, timers } = ctx;
  if (localServer(state).process !== 'running') return true;
  try {
    await withDeadline(state.asking?.answer ?? Promise.resolve(), REFRESH_MS, 'PostgreSQL', timers);
    await withDeadline(refreshStatus(ctx), REFRESH_MS, 'PostgreSQL', timers);
    return true;
  } catch (cause) {
    rethrowBug(cause);
    // The loop logs why.
    return false;
  }
}

/** Patroni matches by what the path contains, in this order. */
function health(ctx: AgentContext, path: string, query: URLSearchParams): boolean {
  const local = localServer(ctx.state);
  const isLeader = ctx.keeper.isSafe(0);
  const isOpen = ctx.state.status?.isClosed !== true;
  const isPrimary = isLeader && local.process === 'running' && local.role === 'primary' && isOpen;
  if (path.includes('standby_leader') || path.includes('standby-leader')) return false;
  if (path.includes('leader')) return isLeader;
  if (path === '/' || /master|primary|read-write/.test(path)) return isPrimary;
  if (path.includes('replica')) return isGoodReplica(ctx, query);
  if (path.includes('read-only') && !/sync|quorum/.test(path)) return isPrimary || isGoodReplica(ctx, query);
  if (path.includes('health')) return local.process === 'running';
  const isSync = syncStandbys(ctx).has(ctx.config.name);
  switch (path) {
    case '/sync':
    case '/synchronous':
    case '/quorum':
      return isSync && isGoodReplica(ctx, query);
    case '/read-only-sync':
    case '/read-only-synchronous':
    case '/read-only-quorum':
      return isPrimary || (isSync && isGoodReplica(ctx, query));
    case '/async':
    case '/asynchronous':
      return !isSync && isGoodReplica(ctx, query);
    default:
      return false;
  }
}

function isGoodReplica(ctx: AgentContext, query: URLSearchParams): boolean {
  const local = localServer(ctx.state);
  if (local.process !== 'running' || local.role !== 'standby' || isTagSet(ctx.tags, 'noloadbalance'))
    return false;
  for (const [key, value] of query) {
    if (key.startsWith('tag_') && !isTag(ctx.tags[key.slice(4)], value)) return false;
  }
  if (ctx.state.status?.isClosed === true) return false;
  const wanted = query.get('lag');
  if (wanted === null) return true;
  const limit = parseLag(wanted);
  const replayed = ctx.state.status?.replayLsn;
  return limit !== undefined && replayed !== undefined && (ctx.state.view.optime ?? 0) <= replayed + limit;
}

/** A text is compared as it is, all else in small letters, as Patroni does; a tag that is not there is none. */
function isTag(tag: TagValue | undefined, wanted: string): boolean {
  return typeof tag === 'string' ? tag === wanted : tag !== undefined && String(tag).toLowerCase() === wanted;
}

/** The loop turns. No look at PostgreSQL: its death must not make a service manager kill the agent; nor in a pause at all. */
function isAlive(ctx: AgentContext): boolean {
  if (isPaused(ctx.state.view)) return true;
  const { ttl } = ctx.config.lease;
  const limit = localServer(ctx.state).role === 'primary' ? ttl : 2 * ttl;
  return ctx.clock.now() - ctx.state.decidedAt < Math.max(limit, 2 * ctx.config.lease.loop_wait);
}

function isReady(ctx: AgentContext): boolean {
  if (ctx.keeper.isSafe(0)) return true;
  return localServer(ctx.state).process === 'running' && ctx.state.view.revision > 0;
}
