/** Carries out one decision. Short things are done here and now; long ones become the job. */
import { failure, MatriarchError, rethrowBug, unreachable } from '../base/index.ts';
import { type Action, type Decision, type JobKind, mayWrite, type Order } from '../ha/index.ts';
import type { AgentContext } from './context.ts';
import { handOver } from './hand-over.ts';
import type { JobContext } from './jobs.ts';
import { look } from './look.ts';
import { localServer } from './observe.ts';
import { carryOut } from './orders.ts';
import { clearRequest } from './requests.ts';
import { reinit, restart } from './restart.ts';
import * as work from './server-work.ts';
import { numbersAsOurs } from './timeline.ts';

/** `again`: something changed, so decide again now. `rest`: wait for the next event or the timer. */
export type Outcome = 'again' | 'rest';

type JobAction = Exclude<Extract<Action, { readonly do: JobKind }>, { readonly do: Order }>;

/** Rejects with `system-id-mismatch` for `refuse`; any other failure is logged and tried again in a later cycle. */
export async function act(ctx: AgentContext, decision: Decision): Promise<Outcome> {
  const { action } = decision;
  switch (action.do) {
    case 'wait':
    case 'lead':
    case 'ask-peers':
      return 'rest';
    case 'refuse':
      throw new MatriarchError(
        'system-id-mismatch',
        `${ctx.postgresql.data_dir} has system identifier ${ctx.state.inspection?.control?.systemId}, the cluster ${ctx.config.scope} has ${ctx.state.view.systemId}`,
      );
    case 'cancel-job':
      ctx.jobs.abandon(decision.because);
      return 'again';
    case 'acquire-leader':
      return await acquireLeader(ctx, action);
    case 'release':
      // Positions may have been asked for since the server was looked at.
      await look(ctx);
      if (mayWrite({ local: localServer(ctx.state) })) return 'again';
      await work.unguard(ctx);
      return (await ctx.keeper.release()) ? 'again' : 'rest';
    case 'follow':
      return await tried(ctx, 'follow', async () => {
        if (await work.configure(ctx, 'standby', action.upstream)) await ctx.pg.reload();
      });
    case 'clear-request':
      return await tried(ctx, 'clear-request', () => clearRequest(ctx));
    case 'bootstrap':
    case 'discard-data':
    case 'clone':
    case 'rejoin':
    case 'start-standby':
    case 'start-primary':
    case 'promote':
    case 'demote':
    case 'hand-over':
      ctx.jobs.start(action.do, (job) => workOf(ctx, job, action));
      return 'rest';
    case 'restart':
    case 'reinit': {
      const { order } = ctx.state;
      ctx.state.order = undefined;
      ctx.jobs.start(action.do, (job) =>
        carryOut(order, () =>
          action.do === 'reinit'
            ? reinit(ctx, job, action.from)
            : restart(ctx, job, { ...action, startMs: order?.startMs }),
        ),
      );
      return 'rest';
    }
    default:
      return unreachable(action);
  }
}

async function workOf(ctx: AgentContext, job: JobContext, action: JobAction): Promise<void> {
  switch (action.do) {
    case 'bootstrap':
      return await work.bootstrap(ctx, job);
    case 'discard-data':
      ctx.state.isBootstrapping = false;
      return await ctx.pg.removeDataDir();
    case 'clone':
      return await work.clone(ctx, job, action.from);
    case 'rejoin':
      return await work.rejoin(ctx, job, action);
    case 'start-standby':
      return void (await work.startAsStandby(ctx, job, action.upstream));
    case 'start-primary':
      return void (await work.startAsPrimary(ctx, job));
    case 'promote':
      return await work.promote(ctx, job);
    case 'demote':
      return await work.demote(ctx, action.mode);
    case 'hand-over':
      return await handOver(ctx, job, action.candidate);
    default:
      return unreachable(action);
  }
}

/** A former primary goes on where it ended, without having taken a timeline's number: so it must not have been passed. */
async function acquireLeader(
  ctx: AgentContext,
  { syncRevision, failsafeRevision }: Extract<Action, { readonly do: 'acquire-leader' }>,
): Promise<Outcome> {
  const { keeper, state, config } = ctx;
  const isPrimarys = localServer(state).role === 'primary' && state.view.leader !== config.name;
  const numbers = isPrimarys ? await numbersAsOurs(ctx) : [];
  if (numbers === undefined) return 'rest';
  return (await keeper.acquire(syncRevision, failsafeRevision, numbers)) ? 'again' : 'rest';
}

async function tried(ctx: AgentContext, what: string, attempt: () => Promise<void>): Promise<Outcome> {
  try {
    await attempt();
  } catch (cause) {
    rethrowBug(cause);
    ctx.log.warn('action-failed', { action: what, ...failure(cause) });
  }
  return 'rest';
}
