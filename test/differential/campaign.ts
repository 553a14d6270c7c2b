/** Many random conversations, compared one after the other; the first that differs is shrunk and told so that it can be played again. */
import fc from 'fast-check';
import { conversations } from './generate.ts';
import type { Arena } from './stage.ts';

export interface CampaignOptions {
  readonly conversations: number;
  readonly seed: number;
  /** Of a failure that was told: plays only that one. */
  readonly path?: string;
  /** Shrinking stops after so long, with the smallest found so far. */
  readonly limitMs: number;
}

export interface CampaignResult {
  readonly played: number;
  /** Undefined: no difference. */
  readonly finding: string | undefined;
}

export async function campaign(arena: Arena, options: CampaignOptions): Promise<CampaignResult> {
  let finding = '';
  const property = fc.asyncProperty(conversations(), async (conversation) => {
    const found = await arena.compare(conversation);
    if (found === undefined) return;
    finding = found;
    throw new Error(found);
  });
  const details = await fc.check(property, {
    numRuns: options.conversations,
    seed: options.seed,
    interruptAfterTimeLimit: options.limitMs,
    ...(options.path === undefined ? {} : { path: options.path }),
  });
  const played = details.numRuns;
  if (!details.failed && !details.interrupted) return { played, finding: undefined };
  if (finding === '') return { played, finding: `stopped after ${played} conversations for lack of time` };
  const where = `seed ${details.seed}, path ${details.counterexamplePath ?? ''}`;
  return {
    played,
    finding: `${where}; again: npm run differential -- --seed ${details.seed} --path ${details.counterexamplePath ?? ''}\n${finding}`,
  };
}
