/** Random conversations without stopping at the first difference: each kind of difference once, with its shortest example. */
import fc from 'fast-check';
import { conversations } from './generate.ts';
import type { Arena } from './stage.ts';

/** So much of the two lines makes the kind. */
const KIND_CHARACTERS = 110;

/** Nothing is shrunk. The text is for people. */
export async function survey(
  arena: Arena,
  options: { readonly runs: number; readonly seed: number },
): Promise<string> {
  const kinds = new Map<string, { count: number; example: string }>();
  for (const conversation of fc.sample(conversations(), { numRuns: options.runs, seed: options.seed })) {
    const found = await arena.compare(conversation);
    if (found === undefined) continue;
    const kind = kindOf(found);
    const known = kinds.get(kind);
    const example = known !== undefined && known.example.length < found.length ? known.example : found;
    kinds.set(kind, { count: (known?.count ?? 0) + 1, example });
  }
  return [...kinds]
    .toSorted(([, a], [, b]) => b.count - a.count)
    .map(([kind, { count, example }]) => `${count} × ${kind}\n${example}`)
    .join('\n\n');
}

function kindOf(found: string): string {
  const [, expected = '', seen = ''] = /PostgreSQL: (.*)[^]*?(?:transaction|session): (.*)/.exec(found) ?? [];
  return `${expected.slice(0, KIND_CHARACTERS)} | ${seen.slice(0, KIND_CHARACTERS)}`;
}
