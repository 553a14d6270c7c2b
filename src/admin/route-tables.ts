/** ROUTE, ROUTES and DECISIONS: where statements go, and why. */
import type { DecisionFacts, NodeFacts, RouteCount, RouteFacts } from './facts.ts';
import { type Cell, type Column, type ColumnOf, columnsFor, type Table, tableOf } from './table.ts';
import { timestamp } from './timestamp.ts';

export const ROUTES: Table = tableOf(
  ({ routes }): readonly RouteCount[] => routes.toSorted((a, b) => b.count - a.count),
  ({ text, int8 }) => [
    text('class', (route) => route.class),
    text('because', ({ because }) => because),
    int8('count', ({ count }) => count),
  ],
);

export const DECISIONS: Table = tableOf(
  ({ decisions }): readonly DecisionFacts[] => decisions,
  ({ text, int4, int8 }) => [
    text('at', ({ atMs }) => timestamp(atMs)),
    int8('client', ({ client }) => client),
    text('database', ({ database }) => database),
    text('user', ({ user }) => user),
    text('class', (decision) => decision.class),
    text('because', ({ because }) => because),
    text('detail', ({ detail }) => detail),
    text('need', ({ need }) => need),
    text('need_because', ({ needBecause }) => needBecause),
    text('wish', ({ wish }) => wish),
    text('wish_from', ({ wishFrom }) => wishFrom),
    text('node', ({ node }) => node),
    text('node_because', ({ placeBecause }) => placeBecause),
    int4('attempts', ({ attempts }) => attempts),
  ],
);

/** One step of the explanation, in the order in which the router takes them. */
interface Step {
  readonly step: 'class' | 'need' | 'wish' | 'consistency' | 'candidate' | 'choice' | 'notice';
  readonly value: string;
  readonly because?: string;
  readonly node?: NodeFacts;
}

const { text, int8 } = columnsFor<Step>();

const ROUTE_CELLS: readonly ColumnOf<Step>[] = [
  text('step', ({ step }) => step),
  text('value', ({ value }) => value),
  text('because', ({ because }) => because ?? ''),
  int8('weight', ({ node }) => node?.weight),
  int8('lag_bytes', ({ node }) => node?.lagBytes),
  text('role', ({ node }) => node?.role),
  text('state', ({ node }) => node?.state),
  text('state_because', ({ node }) => node?.stateBecause),
  text('datacenter', ({ node }) => node?.datacenter),
];

export const ROUTE_COLUMNS: readonly Column[] = ROUTE_CELLS.map(({ name, type }) => ({ name, type }));

export function routeRows(route: RouteFacts): readonly (readonly Cell[])[] {
  return stepsOf(route).map((step) => ROUTE_CELLS.map(({ of }) => of(step)));
}

function stepsOf(route: RouteFacts): readonly Step[] {
  const reason = route.detail === '' ? route.because : `${route.because}: ${route.detail}`;
  return [
    { step: 'class', value: route.class, because: reason },
    { step: 'need', value: route.need, because: route.needBecause },
    ...(route.wish === '' ? [] : [{ step: 'wish', value: route.wish, because: route.wishFrom } as const]),
    { step: 'consistency', value: route.consistency },
    ...route.nodes.map(
      (node): Step => ({ step: 'candidate', value: node.name, because: node.because, node }),
    ),
    { step: 'choice', value: route.node ?? '', because: route.placeBecause },
    ...route.notices.map((value): Step => ({ step: 'notice', value })),
  ];
}
