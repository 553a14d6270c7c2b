/**
 * Smooth weighted round robin, as nginx balances upstreams: each step every candidate gains its weight, the
 * richest is chosen and pays the total. It has period `total`, so any `total` consecutive choices hold each
 * candidate exactly `weight` times, well mixed: with 10/1/1 exactly 10, 1 and 1 in any twelve.
 *
 * Each distinct set of (name, weight) has a round of its own. So an excluded candidate (a retry) or one that
 * comes and goes neither disturbs the round of the others nor makes a round start over and over.
 */

/** One candidate for a choice; weight 0 is never chosen. `Candidate` of candidates.ts fits. */
export interface Weighted {
  readonly name: string;
  readonly weight: number;
}

interface Round {
  readonly names: readonly string[];
  readonly weights: readonly number[];
  /** What each has gained and not yet paid; sums to 0. */
  readonly credits: readonly number[];
}

/** The rounds in progress, the one used last at the front; a value, handed in and out. */
export interface ChoiceState {
  readonly rounds: readonly Round[];
}

/** No choice made yet. */
export const emptyChoice: ChoiceState = { rounds: [] };

/** Sets remembered at once: all subsets of three nodes and then some. */
const ROUNDS_MAX = 16;

const NONE: ReadonlySet<string> = new Set();

/** The next candidate, undefined if none has a weight, and the state for the next call. */
export function chooseWeighted<T extends Weighted>(
  state: ChoiceState,
  candidates: readonly T[],
  exclude: ReadonlySet<string> = NONE,
): { readonly state: ChoiceState; readonly chosen: T | undefined } {
  const able = candidates.filter((candidate) => candidate.weight > 0 && !exclude.has(candidate.name));
  const [only] = able;
  if (only === undefined || able.length === 1) return { state, chosen: only };

  const round = state.rounds.find((known) => isRoundOf(known, able));
  const credits = able.map((candidate, index) => candidate.weight + (round?.credits[index] ?? 0));
  const richest = credits.indexOf(Math.max(...credits));
  const total = able.reduce((sum, candidate) => sum + candidate.weight, 0);
  const next: Round = {
    names: round?.names ?? able.map((candidate) => candidate.name),
    weights: round?.weights ?? able.map((candidate) => candidate.weight),
    credits: credits.map((credit, index) => (index === richest ? credit - total : credit)),
  };
  const others =
    round === undefined ? state.rounds.slice(0, ROUNDS_MAX - 1) : state.rounds.filter((r) => r !== round);
  return { state: { rounds: [next, ...others] }, chosen: able[richest] };
}

function isRoundOf(round: Round, able: readonly Weighted[]): boolean {
  return (
    round.names.length === able.length &&
    able.every(
      (candidate, index) =>
        candidate.name === round.names[index] && candidate.weight === round.weights[index],
    )
  );
}
