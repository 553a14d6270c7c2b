/** The router's HTTP side: health, readiness, metrics, and what it knows of the nodes, as JSON. */
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { AdminFacts, RouteFacts, RouteQuestion } from '../admin/index.ts';
import { METRICS_CONTENT_TYPE, renderMetrics, type Sample } from '../metrics/index.ts';
import type { Counters } from './counters.ts';
import type { NodeHealths } from './node-health.ts';
import { readQuestion, routeJson } from './route-http.ts';
import type { ClusterWorld } from './world.ts';

/** More than the classifier looks at. */
const QUESTION_BYTES_MAX = 64 * 1024;

export interface StatusSources {
  readonly health: NodeHealths;
  readonly world: ClusterWorld;
  readonly counters: Counters;
  readonly now: () => number;
  /** What was ordered at the console. */
  readonly state: () => AdminFacts['state'];
  readonly ttlMs: number;
  readonly samples: () => Sample[];
  readonly routeOf: (question: RouteQuestion) => RouteFacts;
}

export function statusApp(sources: StatusSources): Hono {
  const { world, counters, now } = sources;
  const stateOf = (name: string): object => {
    const { state, because } = sources.health.of(name);
    return { state, stateBecause: because, share: world.shareOf(name) };
  };
  const app = new Hono();
  app.get('/healthz', (context) => context.json({ status: 'alive' }));
  app.get('/readyz', (context) => {
    const missing = notReadyBecause(sources);
    return missing.length === 0
      ? context.json({ ready: true })
      : context.json({ ready: false, missing }, 503);
  });
  app.get('/metrics', async (context) =>
    context.body(await renderMetrics(sources.samples()), 200, { 'content-type': METRICS_CONTENT_TYPE }),
  );
  app.post('/explain', bodyLimit({ maxSize: QUESTION_BYTES_MAX }), async (context) => {
    const question = readQuestion(await context.req.json().catch(() => undefined));
    if (question === undefined) return context.text('want JSON with sql, user and database', 400);
    return context.json(routeJson(sources.routeOf(question)));
  });
  app.get('/nodes', (context) => {
    const primary = world.primary(now());
    return context.json({
      revision: world.view.revision,
      leader: world.view.leader ?? null,
      primary:
        primary.kind === 'primary' ? { name: primary.member } : { name: null, because: primary.because },
      newestTimeline: world.view.newestTimeline,
      contactAgeMs: finite(world.contactAgeMs(now())),
      nodes: world.candidates.map((candidate) => ({
        ...candidate,
        reachable: !world.unreachable.has(candidate.name),
        spilled: world.spilledFrom(candidate.name),
        ...stateOf(candidate.name),
        ...counters.of(candidate.name),
      })),
    });
  });
  return app;
}

function notReadyBecause({ world, now, state, ttlMs }: StatusSources): string[] {
  const missing: string[] = [];
  const ordered = state();
  if (ordered !== 'active') missing.push(`the router is ${ordered.replace('_', ' ')}`);
  if (world.view.revision === 0) missing.push('no view of the cluster yet');
  if (world.contactAgeMs(now()) > ttlMs) missing.push('etcd has not proved lately that the view is current');
  if (
    !world.candidates.some(
      ({ name, host, because }) => host !== '' && because !== 'not-running' && !world.unreachable.has(name),
    )
  ) {
    missing.push('no node can be reached');
  }
  return missing;
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? Math.round(value) : null;
}
