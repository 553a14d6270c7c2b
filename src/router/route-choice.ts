/**
 * Who may serve a read that wishes to be served by somebody: the members that are out for it. A wish that leaves nobody is
 * as none. Pure.
 */
import type { Route } from '../routing/index.ts';
import type { Candidate } from '../topology/index.ts';

/** Why a member may be read from all the same, when it is asked for by name. */
const BY_NAME: ReadonlySet<Candidate['because']> = new Set([
  'local',
  'remote',
  'weight-zero',
  'noloadbalance',
]);

/** The member that is named, if it can be read from. */
export function namedCandidate(
  { name }: { readonly name: string },
  candidates: readonly Candidate[],
  out: ReadonlySet<string>,
): string | undefined {
  const found = candidates.find((candidate) => candidate.name === name);
  const isAble = found !== undefined && BY_NAME.has(found.because) && !out.has(name);
  return isAble ? found.name : undefined;
}

/** Who is out for this wish, beside those who are out anyhow. */
export function outFor(
  route: Route,
  candidates: readonly Candidate[],
  { localDatacenter, out }: { readonly localDatacenter: string; readonly out: ReadonlySet<string> },
): ReadonlySet<string> {
  const isOut = (candidate: Candidate): boolean =>
    route.kind === 'replica' ? candidate.isLeader : candidate.datacenter !== localDatacenter;
  return new Set([...out, ...candidates.filter(isOut).map(({ name }) => name)]);
}
