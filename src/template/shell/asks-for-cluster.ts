/**
 * Whether a template asks for the cluster, so that its keys are read and watched. Told from the text: one that only
 * seems to ask costs a watch, and a name that an include makes up is covered by looking into all templates then.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CLUSTER_FUNCTIONS } from '../cluster/functions.ts';

const inAction = (words: readonly string[]): RegExp =>
  new RegExp(String.raw`\{\{(?:[^}]|\}(?!\}))*\b(?:${words.join('|')})\b`);
const ASKS = inAction(CLUSTER_FUNCTIONS);
const INCLUDES = inAction(['include']);

/** A template that cannot be read asks for nothing: that is told when it is rendered. */
export async function asksForCluster(templatesFolder: string, src: string): Promise<boolean> {
  const read = async (path: string): Promise<string> =>
    await readFile(join(templatesFolder, path), 'utf8').catch(() => '');
  const text = await read(src);
  if (ASKS.test(text)) return true;
  if (!INCLUDES.test(text)) return false;
  const others = await readdir(templatesFolder, { recursive: true });
  return (await Promise.all(others.map(read))).some((other) => ASKS.test(other));
}
