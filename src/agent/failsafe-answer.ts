/**
 * A member's answer to a leader's `POST /failsafe` (rules and reasons: ha/failsafe.ts). Nothing is waited for between the look at
 * oneself and the pledge.
 */
import { mayWrite, parseFailsafe, whyNoPledge } from '../ha/index.ts';
import { isFailsafeMode } from '../topology/index.ts';
import type { AgentContext } from './context.ts';
import { localServer } from './observe.ts';
import { boundForMs, systemIdOf } from './pledges.ts';

/** How a question for a pledge is answered. */
export interface PledgeAnswer {
  readonly status: 200 | 400 | 500 | 502;
  readonly text: string;
  /** For how long, where it is pledged. */
  readonly forMs: number | undefined;
}

/** Pledges, or says why not. `body` is Patroni's. */
export function answerFailsafe(ctx: AgentContext, body: Readonly<Record<string, unknown>>): PledgeAnswer {
  const { state, config, keeper, clock, layout, log } = ctx;
  const { name, api_url: apiUrl, database_system_identifier: systemId } = body;
  if (typeof name !== 'string' || typeof apiUrl !== 'string')
    return { status: 400, text: 'name and api_url are needed', forMs: undefined };
  const { ttl } = config.lease;
  const { view } = state;
  const local = localServer(state);
  const leader = clock.now() - state.contactAt < ttl ? view.leader : undefined;
  const ourId = systemIdOf(state);
  const refused = whyNoPledge(
    { name, apiUrl, systemId: typeof systemId === 'string' ? systemId : undefined },
    {
      name: config.name,
      mode: view.revision === 0 ? 'unknown' : isFailsafeMode(view) ? 'on' : 'off',
      systemId: ourId,
      isPrimary: mayWrite({ local }) || isRising(ctx),
      isHolder: keeper.isHolder || leader === config.name,
      isRacing: keeper.isRacing,
      leader,
      list: parseFailsafe(view.entries.get(layout.failsafe)?.value),
    },
  );
  if (refused !== undefined) {
    log.warn('failsafe-pledge-refused', { to: name, because: refused.text });
    return { ...refused, forMs: undefined };
  }
  if (boundForMs(state, clock.now()) === 0) log.warn('failsafe-pledged', { to: name, forMs: ttl });
  state.pledged = { to: name, systemId: ourId, until: clock.now() + ttl };
  return { status: 200, text: 'Accepted', forMs: ttl };
}

/** A job that makes a primary, or has begun to stop one that leads. */
function isRising({ jobs, state }: AgentContext): boolean {
  const kind = jobs.running;
  return (
    kind === 'promote' ||
    kind === 'start-primary' ||
    kind === 'bootstrap' ||
    kind === 'hand-over' ||
    state.isBootstrapping
  );
}
