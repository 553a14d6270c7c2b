/**
 * Keeps etcd's own leader off the primary's host, so that the loss of that host does not cost an etcd election on top
 * of ours (during which no lease expires). Not while a change of our own leader is asked for.
 */
import { failure, rethrowBug } from '../base/index.ts';
import type { AgentContext } from './context.ts';

const CALL_MS = 1000;

/** One look; moves etcd's leader if it is on our host and another member can take it. */
export async function moveEtcdLeader(ctx: AgentContext): Promise<void> {
  const { dcs, log, published, state } = ctx;
  const ownHost = published.postgres.host;
  if (state.view.failover !== undefined) return;
  const members = await dcs.members({ timeoutMs: CALL_MS });
  const isHere = (urls: readonly string[]): boolean => urls.some((url) => hostOf(url) === ownHost);
  const leader = members.find((member) => member.isLeader);
  if (leader === undefined || !isHere(leader.clientUrls)) return;
  const target = members.find(
    (member) => member.id !== leader.id && member.clientUrls.length > 0 && !isHere(member.clientUrls),
  );
  if (target === undefined) return;
  try {
    await dcs.moveLeader(target.id, { timeoutMs: CALL_MS });
    log.info('etcd-leader-moved', { from: leader.name, to: target.name });
  } catch (cause) {
    rethrowBug(cause);
    log.info('etcd-leader-not-moved', { from: leader.name, to: target.name, ...failure(cause) });
  }
}

function hostOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : undefined;
}
