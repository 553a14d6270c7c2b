/** POST /explain: where a statement would go, as JSON; what SHOW ROUTE of the admin console shows as a table. */
import { z } from 'zod';
import type { RouteFacts, RouteQuestion } from '../admin/index.ts';

const questionSchema = z.strictObject({
  // A NUL cannot be in a statement of the protocol.
  sql: z.string().refine((sql) => !sql.includes('\0'), 'has a NUL'),
  user: z.string().min(1),
  database: z.string().min(1),
  application_name: z.string().default(''),
});

/** The question of a request's body; undefined: it is none. */
export function readQuestion(body: unknown): RouteQuestion | undefined {
  const read = questionSchema.safeParse(body);
  if (!read.success) return undefined;
  const { application_name: applicationName, ...question } = read.data;
  return { ...question, applicationName };
}

/** Keys are stable, and carry units. */
export function routeJson(route: RouteFacts) {
  return {
    class: route.class,
    because: route.because,
    detail: route.detail,
    need: route.need,
    need_because: route.needBecause,
    wish: route.wish,
    wish_from: route.wishFrom,
    consistency: route.consistency,
    node: route.node ?? null,
    node_because: route.placeBecause,
    notices: route.notices,
    candidates: route.nodes.map((node) => ({
      node: node.name,
      datacenter: node.datacenter,
      role: node.role,
      state: node.state,
      state_because: node.stateBecause,
      share: node.share,
      weight: node.weight,
      because: node.because,
      lag_bytes: node.lagBytes ?? null,
    })),
  };
}
