/**
 * A leader whose PostgreSQL lives and is of no use: it answers no question, or does not come to the end of its start. Its
 * lease is kept alive all the same, so nobody else would ever lead.
 *
 * Safe because nothing is given away here: the server is stopped by escalation first (a hung one does not stop when it is
 * asked), under a lease that lives; then it is a dead leader like any other, and the key goes only while somebody can take
 * over. A busy server is not a hung one: any answer counts, a refusal too, and each question has a long deadline.
 */
import type { Choice } from './action.ts';
import type { Observation } from './observation.ts';
import { successor } from './rank.ts';
import type { Reason } from './reasons.ts';

/** Questions in a row without an answer. The shell gives each of them this part of the whole patience. */
export const UNANSWERED_MAX = 3;

/** What is done about it; undefined = it is of use, it is not ours to judge, or it still has time. */
export function whenUseless(o: Observation): Choice | undefined {
  const because = whyUseless(o);
  // By pledges alone the key could be given to nobody.
  const isLed = o.lock.is === 'mine' && o.lock.isFailsafe !== true;
  if (because === undefined || !isLed || o.cluster.isPaused) return undefined;
  if (o.peers === undefined) return [{ do: 'ask-peers' }, 'positions-unknown'];
  return successor(o.peers, o.cluster) === undefined
    ? [{ do: 'wait' }, 'postgres-useless-no-candidate']
    : [{ do: 'demote', mode: 'offline' }, because];
}

function whyUseless({ local, memory, limits, now }: Observation): Reason | undefined {
  if (local.data !== 'whole' || local.role === 'standby') return undefined;
  if (local.process === 'running' && local.unanswered >= UNANSWERED_MAX) return 'postgres-hangs';
  const startingMs = now - (memory.startingSince ?? now);
  return local.process === 'starting' && startingMs >= limits.startPatienceMs
    ? 'start-takes-too-long'
    : undefined;
}
