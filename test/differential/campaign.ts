/** Many random values, checked one after the other; the first that fails is shrunk and told so that it can be played again. */
import fc from 'fast-check';

export interface CampaignOptions {
  readonly runs: number;
  readonly seed: number;
  /** Of a failure that was told: plays only that one. */
  readonly path?: string;
  /** Shrinking stops after so long, with the smallest found so far. */
  readonly limitMs: number;
  /** After each value, with how many have been checked. */
  readonly onChecked?: (checked: number) => void;
}

export interface CampaignResult {
  readonly played: number;
  /** Begins with the options that play it again; undefined: nothing was found. */
  readonly finding: string | undefined;
}

/** A failure may need what others left on the connection that it meets: it is given more than one chance. */
const REPLAYS = 30;

/** `check` says what is wrong with a value, for people; undefined: nothing. */
export async function checked<T>(
  values: fc.Arbitrary<T>,
  check: (value: T) => Promise<string | undefined>,
  { runs, seed, path, limitMs, onChecked }: CampaignOptions,
): Promise<CampaignResult> {
  let finding: string | undefined;
  let count = 0;
  const attempts = path === undefined ? 1 : REPLAYS;
  const property = fc.asyncProperty(values, async (value) => {
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const found = await check(value);
      if (found === undefined) continue;
      finding = found;
      throw new Error(found);
    }
    count += 1;
    onChecked?.(count);
  });
  const details = await fc.check(property, {
    numRuns: runs,
    seed,
    interruptAfterTimeLimit: limitMs,
    ...(path === undefined ? {} : { path }),
  });
  const played = details.numRuns;
  if (finding !== undefined)
    return { played, finding: `--seed ${seed} --path ${details.counterexamplePath ?? ''}\n${finding}` };
  return { played, finding: details.interrupted ? `--seed ${seed}\nonly ${played} in the time` : undefined };
}
