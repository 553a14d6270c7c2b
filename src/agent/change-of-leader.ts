/**
 * `POST /switchover` and `/failover`: checked, written to the `failover` key, and followed in the view until somebody
 * else leads and its PostgreSQL is a running primary, or the request is refused. The decision is the leader's own.
 */
import { failure, pause, rethrowBug } from '../base/index.ts';
import { unchanged } from '../dcs/index.ts';
import { whyIneligible } from '../ha/index.ts';
import { type ClusterView, isPaused, primaryOf } from '../topology/index.ts';
import { type AgentContext, clusterNumber, MAXIMUM_LAG_BYTES } from './context.ts';
import { isoTime, parseChangeOfLeader } from './rest-requests.ts';
import type { Answer } from './rest-write.ts';

const CALL_MS = 2000;
const POLL_MS = 20;
/** As Patroni's: twice the longer of 10 s and the loop. */
const RESULT_MS = 20_000;
/** How long a new leader is waited for to be a primary, once it has the key. */
const PROMOTED_MS = 10_000;

type Action = 'switchover' | 'failover';

export async function changeLeader(
  ctx: AgentContext,
  action: Action,
  body: Readonly<Record<string, unknown>>,
): Promise<Answer> {
  const { state, clock, dcs, layout, wake, log } = ctx;
  const facts = { isPaused: isPaused(state.view), now: clock.wallNow() };
  const parsed = parseChangeOfLeader(body, action, facts);
  if ('refused' in parsed) return parsed.refused;
  const pending = whatIsPending(state.view, action);
  if (pending !== undefined) return { status: 409, text: pending };
  const { leader, candidate, at } = parsed.ok;
  log.info('leader-change-asked', {
    action,
    leader,
    candidate,
    at: at === undefined ? undefined : isoTime(at),
  });
  if (at === undefined) {
    const because = await whyImpossible(ctx, action, parsed.ok);
    if (because !== undefined) return { status: 412, text: because };
  }
  const before = state.view.leader;
  const seen = state.view.entries.get(layout.failover);
  const value = JSON.stringify({
    ...(leader === undefined ? {} : { leader }),
    ...(candidate === undefined ? {} : { member: candidate }),
    ...(at === undefined ? {} : { scheduled_at: isoTime(at) }),
  });
  try {
    const { outcome, revision } = await dcs.transact(
      {
        when: [unchanged(layout.failover, seen?.modRevision)],
        then: [{ op: 'put', key: layout.failover, value }],
      },
      { timeoutMs: CALL_MS },
    );
    if (outcome === 'refused') return { status: 409, text: 'another request was made just now' };
    wake.now();
    if (at !== undefined) return { status: 202, text: `${titleOf(action)} scheduled` };
    return await followed(ctx, { action, before, candidate, revision });
  } catch (cause) {
    rethrowBug(cause);
    log.warn('leader-change-not-written', { action, ...failure(cause) });
    return { status: 503, text: `failed to write ${action} key into DCS` };
  }
}

/** `DELETE /switchover`: only a scheduled one, and only the one that was seen. */
export async function dropSchedule(ctx: AgentContext): Promise<Answer> {
  const { state, dcs, layout } = ctx;
  const request = state.view.failover;
  if (request?.scheduledAt === undefined) return { status: 404, text: 'no switchover is scheduled' };
  const { outcome } = await dcs.transact(
    {
      when: [{ key: layout.failover, is: 'mod-revision', modRevision: request.modRevision }],
      then: [{ op: 'put', key: layout.failover, value: '{}' }],
    },
    { timeoutMs: CALL_MS },
  );
  return outcome === 'refused'
    ? { status: 409, text: 'the request was changed just now' }
    : { status: 200, text: 'scheduled switchover deleted' };
}

/**
 * A request that another one would overwrite is withdrawn first, or waited for. A failover by hand is let through where
 * nobody leads who could answer what is there.
 */
function whatIsPending({ failover, leader }: ClusterView, action: Action): string | undefined {
  if (failover === undefined) return undefined;
  const { scheduledAt } = failover;
  if (action === 'failover' && leader === undefined && scheduledAt === undefined) return undefined;
  const kind = failover.leader === undefined ? 'failover' : 'switchover';
  const from = failover.leader === undefined ? '' : ` from "${failover.leader}"`;
  const to = failover.candidate === undefined ? '' : ` to "${failover.candidate}"`;
  const when = scheduledAt === undefined ? 'is under way' : `is already scheduled for ${scheduledAt}`;
  return `Another ${kind}${from}${to} ${when}`;
}

const titleOf = (action: Action): string => (action === 'switchover' ? 'Switchover' : 'Failover');

interface Wish {
  readonly leader: string | undefined;
  readonly candidate: string | undefined;
}

/** In Patroni's words; the candidates are asked themselves. */
async function whyImpossible(
  ctx: AgentContext,
  action: Action,
  { leader, candidate }: Wish,
): Promise<string | undefined> {
  const { view } = ctx.state;
  if (leader !== undefined && view.leader !== leader) return 'leader name does not match';
  const members = [...view.members.values()].filter(({ name }) =>
    candidate === undefined ? name !== view.leader : name === candidate,
  );
  if (members.length === 0) {
    return candidate === undefined
      ? `${action} is not possible: cluster does not have members except leader`
      : 'candidate does not exists';
  }
  const answers = await Promise.all(members.map((member) => ctx.peers.askOne(member)));
  const cluster = {
    newestTimeline: view.newestTimeline,
    optime: view.optime,
    maximumLagBytes: clusterNumber(view, 'maximum_lag_on_failover', MAXIMUM_LAG_BYTES),
  };
  const isGood = answers.some(
    (answer) =>
      answer?.isRunning === true && answer.role === 'standby' && whyIneligible(answer, cluster) === undefined,
  );
  return isGood ? undefined : `${action} is not possible: no good candidates have been found`;
}

interface Following {
  readonly action: Action;
  readonly before: string | undefined;
  readonly candidate: string | undefined;
  readonly revision: number;
}

async function followed(
  ctx: AgentContext,
  { action, before, candidate, revision }: Following,
): Promise<Answer> {
  const { state, clock, timers } = ctx;
  const verb = action === 'switchover' ? 'switched' : 'failed';
  let until = clock.now() + RESULT_MS;
  let next: string | undefined;
  while (clock.now() < until) {
    await pause(POLL_MS, undefined, timers);
    const { view } = state;
    if (view.revision < revision) continue;
    if (view.leader !== undefined && view.leader !== before) {
      if (next === undefined) until = clock.now() + PROMOTED_MS;
      next = view.leader;
      if (primaryOf(view).kind === 'primary') break;
      continue;
    }
    if (next === undefined && view.failover === undefined && view.leader !== undefined)
      return { status: 503, text: `${titleOf(action)} failed` };
  }
  if (next === undefined) return { status: 503, text: `${titleOf(action)} status unknown` };
  const isAsked = candidate === undefined || candidate === next;
  const title = `${verb.charAt(0).toUpperCase()}${verb.slice(1)} over to "${next}" instead of "${candidate}"`;
  return { status: 200, text: isAsked ? `Successfully ${verb} over to "${next}"` : title };
}
