/** The `failover` key's end: reset to `{}`, as Patroni does, never deleted; only the request that we saw, never a newer one. */
import type { AgentContext } from './context.ts';

/** Resets the request in the present view. Rejects with `DcsError`. */
export async function clearRequest(ctx: AgentContext): Promise<void> {
  const { dcs, layout, state, log } = ctx;
  const request = state.view.failover;
  if (request === undefined) return;
  const result = await dcs.transact(
    {
      when: [{ key: layout.failover, is: 'mod-revision', modRevision: request.modRevision }],
      then: [{ op: 'put', key: layout.failover, value: '{}' }],
    },
    { timeoutMs: 1000 },
  );
  log.info('request-cleared', {
    leader: request.leader,
    candidate: request.candidate,
    outcome: result.outcome,
  });
}
