/** What `matriarch explain` shows: the steps of the decision in order, then the nodes that were to choose from. */
import { z } from 'zod';
import { renderTable } from '../base/index.ts';
import { formatLag } from './status-view.ts';

export const routeSchema = z.object({
  class: z.string(),
  because: z.string(),
  detail: z.string(),
  need: z.string(),
  need_because: z.string(),
  wish: z.string(),
  wish_from: z.string(),
  consistency: z.string(),
  node: z.string().nullable(),
  node_because: z.string(),
  notices: z.array(z.string()),
  candidates: z.array(
    z.object({
      node: z.string(),
      datacenter: z.string(),
      role: z.string(),
      state: z.string(),
      state_because: z.string(),
      weight: z.number(),
      because: z.string(),
      lag_bytes: z.number().nullable(),
    }),
  ),
});

export type Route = z.infer<typeof routeSchema>;

const STEPS = [{ title: 'Step' }, { title: 'Result' }, { title: 'Because' }];
const CANDIDATES = [
  { title: 'Candidate' },
  { title: 'Datacenter' },
  { title: 'Role' },
  { title: 'Weight', align: 'right' },
  { title: 'Because' },
  { title: 'Lag', align: 'right' },
  { title: 'State' },
] as const;

export function renderRoute(route: Route): string {
  const reason = route.detail === '' ? route.because : `${route.because}: ${route.detail}`;
  const steps = [
    ['class', route.class, reason],
    ['need', route.need, route.need_because],
    ...(route.wish === '' ? [] : [['wish', route.wish, route.wish_from]]),
    ['consistency', route.consistency, ''],
    ['choice', route.node ?? 'none', route.node_because],
  ];
  const candidates = route.candidates.map((one) => [
    one.node,
    one.datacenter,
    one.role,
    String(one.weight),
    one.because,
    one.role === 'standby' ? formatLag(one.lag_bytes) : '',
    one.state_because === '' ? one.state : `${one.state}: ${one.state_because}`,
  ]);
  const notices = route.notices.map((notice) => `notice: ${notice}\n`).join('');
  return renderTable(STEPS, steps) + renderTable(CANDIDATES, candidates) + notices;
}
