/**
 * Where a statement would go, and why: asked of a session of its own that is given what a client's session is given, but
 * is lent no connection. So what is shown is decided by the code that decides for clients. Nothing is sent, counted or
 * remembered, and no turn of a node is taken.
 */
import type { RouteFacts, RouteQuestion } from '../admin/index.ts';
import { freshnessText } from '../routing/index.ts';
import { BACKEND, Query, readErrorFields } from '../wire/index.ts';
import { nodesOf } from './admin-facts.ts';
import { BY_TEXTS } from './catalogs.ts';
import { decisionOf } from './decisions.ts';
import { serverParameters } from './server-parameters.ts';
import { Session } from './session.ts';
import { serverDatabaseOf, sessionOptions } from './session-options.ts';
import type { SessionEffects } from './session-types.ts';
import type { Shared } from './shared.ts';
import { startUpOf } from './start-up.ts';
import { Tally } from './tally.ts';

/** Nobody connects by it. */
const NOBODY = { processId: 0, secretKey: Buffer.alloc(4) };
const NO_PARAMETERS = serverParameters(new Map());

export function rehearse(shared: Shared, question: RouteQuestion): RouteFacts {
  const { user, database, applicationName } = question;
  const parameters = new Map(applicationName === '' ? [] : [['application_name', applicationName]]);
  const startUp = startUpOf({ user, database, parameters });
  const notices: string[] = [];
  let isAsked = false;
  let heldBecause: string | undefined;
  const effects: SessionEffects = {
    ...NO_EFFECTS,
    toClient: (bytes) => {
      const tag = bytes[0];
      if (tag === BACKEND.NoticeResponse || tag === BACKEND.ErrorResponse)
        notices.push(readErrorFields(bytes).message);
    },
    borrow: () => {
      isAsked = true;
      return undefined;
    },
    awaitPositions: () => {
      heldBecause = 'no-server-in-step';
    },
    hold: (because) => {
      heldBecause = because;
      return true;
    },
  };
  // A client would wait for its first reading; this question is answered by the text, and the next by what was read.
  const catalog = shared.catalogs.join(serverDatabaseOf(shared, startUp));
  const known = catalog.ready === undefined ? catalog.now : BY_TEXTS;
  const options = sessionOptions(shared, { startUp, ...NOBODY, catalog: known }, effects);
  const session = new Session({
    ...options,
    world: shared.world.unmoved(),
    tally: new Tally(),
  });
  const now = shared.clock.now();
  session.start(now, shared.servers.knownParameters(startUp) ?? NO_PARAMETERS);
  session.receive(Query(question.sql), now);
  const { unit } = session;
  const isPlaced = isAsked && heldBecause === undefined;
  const decision = decisionOf(unit);
  const route: RouteFacts = {
    ...decision,
    node: isPlaced ? unit.member : undefined,
    placeBecause: isPlaced ? decision.placeBecause : (heldBecause ?? 'answered-by-router'),
    consistency: freshnessText(unit.freshness, options.routing.consistency),
    notices,
    nodes: nodesOf(shared, shared.clock.wallNow()),
  };
  session.end();
  catalog.leave();
  return route;
}

const nothing = (): void => undefined;

const NO_EFFECTS: Omit<SessionEffects, 'toClient' | 'borrow' | 'hold' | 'awaitPositions'> = {
  isCongested: () => false,
  stopWaiting: nothing,
  giveBack: nothing,
  discard: nothing,
  judged: nothing,
  cancelAt: nothing,
  endClient: nothing,
  unhold: nothing,
  backlog: nothing,
  isTurnOver: () => false,
  nextTurn: nothing,
  counted: nothing,
  decided: nothing,
  served: nothing,
  routed: nothing,
  serverLost: nothing,
  replied: nothing,
  note: nothing,
};
