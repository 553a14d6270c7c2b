/**
 * Names that two agents must not share. Of one name: each would take the other's leader key for its own. Of names that
 * make one name of a replication slot (they differ in case, or in `-` and `_`): only one could stream, and PostgreSQL, which
 * compares names without case, would take either for the synchronous standby that the other is promised to be.
 */
import { failure, MatriarchError, rethrowBug } from '../base/index.ts';
import { applySnapshot, type ClusterView, emptyView, slotNameOf } from '../topology/index.ts';
import type { AgentContext } from './context.ts';
import { memberJson } from './member-key.ts';

const CALL_MS = 2000;

/**
 * Rejects with `name-taken`: who comes later does not run. Under our own name, whoever answers at another address is another
 * one; a host that has moved answers nowhere else. Without the store nothing is known, and nobody leads.
 */
export async function refuseTakenName(ctx: AgentContext): Promise<void> {
  const { config, peers } = ctx;
  const own = memberJson(ctx).api_url;
  const slot = slotNameOf(config.name);
  const rivals = [...(await membersOf(ctx)).values()].filter(({ name, apiUrl }) =>
    name === config.name ? apiUrl !== own : slotNameOf(name) === slot,
  );
  for (const rival of rivals) {
    if ((await peers.askOne(rival)) === undefined) continue;
    const why = rival.name === config.name ? '' : `, and both names make the replication slot ${slot}`;
    throw new MatriarchError('name-taken', `another agent runs as ${rival.name}, at ${rival.apiUrl}${why}`);
  }
}

async function membersOf({ dcs, layout, log }: AgentContext): Promise<ClusterView['members']> {
  try {
    return applySnapshot(emptyView, await dcs.range(layout.prefix, { timeoutMs: CALL_MS }), layout).members;
  } catch (cause) {
    rethrowBug(cause);
    log.warn('name-not-checked', failure(cause));
    return new Map();
  }
}
