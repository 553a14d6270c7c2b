/** Never write as a leader without being it: the store checks the leader key in the same instant. */
import type { Compare, Write } from '../dcs/index.ts';
import type { AgentContext } from './context.ts';

const CALL_MS = 1000;

/** True when the leader key named us, `also` held, and all of `writes` were made. Rejects with `DcsError`. */
export async function putAsLeader(
  ctx: AgentContext,
  writes: readonly Write[],
  also: readonly Compare[] = [],
): Promise<boolean> {
  const { dcs, layout, config } = ctx;
  const result = await dcs.transact(
    { when: [{ key: layout.leader, is: 'value', value: config.name }, ...also], then: writes },
    { timeoutMs: CALL_MS },
  );
  return result.outcome === 'applied';
}

/** The cluster is the one of our data directory from now on; a claim to make it, or nothing, was there before. */
export async function writeIdentity(ctx: AgentContext): Promise<boolean> {
  const systemId = ctx.state.inspection?.control?.systemId;
  if (systemId === undefined) return false;
  const isWritten = await putAsLeader(ctx, [{ op: 'put', key: ctx.layout.initialize, value: systemId }]);
  if (isWritten) ctx.log.info('cluster-initialized', { systemId });
  return isWritten;
}
