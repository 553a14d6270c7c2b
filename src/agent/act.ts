/** Carries out one decision. Short things are done here and now; long ones become the job. */
import { failure, MatriarchError, unreachable } from '../base/index.ts';
import type { Decision } from '../ha/index.ts';
import type { AgentContext } from './context.ts';
import { handOver } from './hand-over.ts';
import { clearRequest } from './requests.ts';
import * as work from './server-work.ts';

/** `again`: something changed, so decide again now. `rest`: wait for the next event or the timer. */
export type Outcome = 'again' | 'rest';

/** Rejects with `system-id-mismatch` for `refuse`; any other failure is logged and tried again in a later cycle. */
export async function act(ctx: AgentContext, decision: Decision): Promise<Outcome> {
  const { action } = decision;
  const { jobs } = ctx;
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
    case 'bootstrap':
      jobs.start('bootstrap', (job) => work.bootstrap(ctx, job));
      return 'rest';
    case 'discard-data':
      jobs.start('discard-data', () => work.discardData(ctx));
      return 'rest';
    case 'clone':
      jobs.start('clone', (job) => work.clone(ctx, job, action.from));
      return 'rest';
    case 'rejoin':
      jobs.start('rejoin', (job) => work.rejoin(ctx, job, action.from));
      return 'rest';
    case 'start-standby':
      jobs.start('start-standby', (job) => work.startAsStandby(ctx, job, action.upstream));
      return 'rest';
    case 'start-primary':
      jobs.start('start-primary', (job) => work.startAsPrimary(ctx, job));
      return 'rest';
    case 'promote':
      jobs.start('promote', (job) => work.promote(ctx, job));
      return 'rest';
    case 'demote':
      jobs.start('demote', () => work.demote(ctx, action.mode));
      return 'rest';
    case 'hand-over':
      jobs.start('hand-over', (job) => handOver(ctx, job, action.candidate));
      return 'rest';
    case 'cancel-job':
      jobs.abandon(decision.because);
      return 'again';
    case 'acquire-leader':
      return (await ctx.keeper.acquire()) ? 'again' : 'rest';
    case 'release':
      await work.unguard(ctx);
      return (await ctx.keeper.release()) ? 'again' : 'rest';
    case 'follow':
      return await tried(ctx, 'follow', async () => {
        if (await work.configure(ctx, 'standby', action.upstream)) await ctx.pg.reload();
      });
    case 'clear-request':
      return await tried(ctx, 'clear-request', () => clearRequest(ctx));
    default:
      return unreachable(action);
  }
}

async function tried(ctx: AgentContext, what: string, attempt: () => Promise<void>): Promise<Outcome> {
  try {
    await attempt();
  } catch (cause) {
    ctx.log.warn('action-failed', { action: what, ...failure(cause) });
  }
  return 'rest';
}
