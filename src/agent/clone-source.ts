/** From whom a data directory is copied: a replica that offers itself (tag `clonefrom`), so that the leader has its hands free. */
import { isFollowing, isTagSet } from '../topology/index.ts';
import { type AgentContext, clusterNumber, MAXIMUM_LAG_BYTES } from './context.ts';

type Chooser = Pick<AgentContext, 'state' | 'config' | 'random'> & {
  readonly jobs: Pick<AgentContext['jobs'], 'failuresOf'>;
};

/**
 * One of the replicas with the tag that run, stream and are not far behind, by chance; else `leader`. Also that after a
 * copy that failed: a replica may be gone, or be promoted, in the middle of it.
 */
export function cloneSource(ctx: Chooser, leader: string): string {
  const { state, config, jobs, random } = ctx;
  const { view } = state;
  const timeline = view.members.get(leader)?.timeline;
  const maximumLag = clusterNumber(view, 'maximum_lag_on_failover', MAXIMUM_LAG_BYTES);
  const offered = [...view.members.values()].filter(
    (member) =>
      isTagSet(member.tags, 'clonefrom') &&
      member.name !== leader &&
      member.name !== config.name &&
      isFollowing(member) &&
      member.timeline === timeline &&
      member.lsn !== undefined &&
      (view.optime ?? 0) - member.lsn <= maximumLag,
  );
  const hasFailed = (['clone', 'rejoin', 'reinit'] as const).some((kind) => jobs.failuresOf(kind) > 0);
  const chosen = hasFailed ? undefined : offered[Math.floor(random() * offered.length)];
  return chosen?.name ?? leader;
}
