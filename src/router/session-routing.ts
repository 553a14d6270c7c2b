/** What a client's session is told of the router's routing, and what is kept of its decisions where it asked for that. */
import { routeText } from '../routing/index.ts';
import type { Shared } from './shared.ts';
import type { StartUp } from './start-up.ts';
import type { Unit } from './unit.ts';
import type { SessionRouting } from './wisher.ts';

interface Client {
  readonly processId: number;
  readonly startUp: StartUp;
}

export function routingOf(shared: Shared, { startUp }: Client): SessionRouting {
  return {
    user: startUp.user,
    database: startUp.database,
    get rules() {
      return shared.config.rules;
    },
    get firstStatementDecides() {
      return shared.config.first_statement_decides;
    },
    get consistency() {
      return shared.config.consistency;
    },
    get maxStaleness() {
      return shared.reads.maxStaleness;
    },
    refused: shared.refused,
    rescued: (because) => shared.counters.rescued(because),
  };
}

export function noteDecision(
  { decisions, clock }: Shared,
  { processId, startUp }: Client,
  { member, unit }: { readonly member: string; readonly unit: Unit },
): void {
  const { found, need, wish, wishFrom, attempts } = unit;
  decisions.add({
    client: processId,
    at: clock.now(),
    database: startUp.database,
    user: startUp.user,
    kind: found?.kind ?? 'write',
    because: found?.because ?? 'statement-unknown',
    detail: found?.detail ?? '',
    need,
    wish: wish === undefined ? '' : routeText(wish),
    wishFrom,
    member,
    attempts,
  });
}
