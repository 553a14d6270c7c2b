/**
 * From whom a standby streams that is told to spare the leader: tag `replicatefrom`, the name of another standby.
 *
 * That member must be one through which everything reaches this one: it runs as a standby on the leader's timeline, does
 * not say that it is cut off, and no chain of such tags leads back to where it began (each would wait for the other). Else
 * the leader is followed, until it is fit again. One that is fit by its own word and gives no stream is left alone for a
 * while by `decide`.
 */
import { isFollowing, type Member } from '../topology/index.ts';

/** What is read here of the cluster. */
interface Cluster {
  readonly members: ReadonlyMap<string, Member>;
  readonly leader: string | undefined;
}

export interface Cascading {
  readonly name: string;
  readonly tags: Readonly<Record<string, unknown>>;
}

/** The member that `self` streams from; undefined = the leader. */
export function standbyToFollow(self: Cascading, { members, leader }: Cluster): string | undefined {
  const timeline = leader === undefined ? undefined : members.get(leader)?.timeline;
  if (timeline === undefined) return undefined;
  const sourceOf = ({ tags }: Cascading): Member | undefined => {
    const named = members.get(replicateFrom(tags) ?? '');
    return named !== undefined && isFollowing(named) && named.timeline === timeline ? named : undefined;
  };
  const source = sourceOf(self);
  const seen = new Set([self.name]);
  for (let next = source; next !== undefined; next = sourceOf(next)) {
    if (seen.has(next.name)) return undefined;
    seen.add(next.name);
  }
  return source?.name;
}

/** Members that are told to stream from others than the leader: from whom each. */
export function cascading(members: Iterable<Member>): ReadonlyMap<string, string> {
  return new Map(
    [...members].flatMap(({ name, tags }) => {
      const from = replicateFrom(tags);
      return from === undefined || from === name ? [] : [[name, from] as const];
    }),
  );
}

function replicateFrom(tags: Readonly<Record<string, unknown>>): string | undefined {
  const name = tags['replicatefrom'];
  return typeof name === 'string' && name !== '' ? name : undefined;
}
