/** TOML with the places of what is in it, and what is wrong with it in the form that the loader reports. */
import { parse, TomlError } from 'smol-toml';

/** Something wrong with a file of `conf.d`. Places count from 1; `key` is empty when it is the file as such. */
export interface Problem {
  readonly line: number;
  readonly column: number;
  readonly key: string;
  readonly message: string;
}

export type Toml =
  | { readonly outcome: 'ok'; readonly value: Readonly<Record<string, unknown>> }
  | { readonly outcome: 'problem'; readonly problem: Problem };

export function parseToml(text: string): Toml {
  try {
    return { outcome: 'ok', value: parse(text) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [message = ''] = error.message.replace(/^Invalid TOML document: /, '').split('\n');
    const { line, column } = error;
    return { outcome: 'problem', problem: { line, column, key: '', message: `not valid TOML: ${message}` } };
  }
}

/** Where a key of a table ('': of none) stands; of the table when the key is not there, else of the file. */
export function placeOfKey(text: string, table: string, key: string): { line: number; column: number } {
  const lines = text.split('\n');
  const start = table === '' ? -1 : lines.findIndex((line) => headerOf(line) === table);
  if (start < 0 && table !== '') return { line: 1, column: 1 };
  const length = lines.slice(start + 1).findIndex((line) => headerOf(line) !== undefined);
  const end = length < 0 ? lines.length : start + 1 + length;
  const at = lines.findIndex((line, index) => index > start && index < end && keyOf(line) === key);
  const found = at < 0 ? Math.max(start, 0) : at;
  return { line: found + 1, column: (lines[found] ?? '').search(/\S/) + 1 };
}

function headerOf(line: string): string | undefined {
  return /^\s*\[\s*([^[\]]+?)\s*\]\s*(?:#.*)?$/.exec(line)?.[1];
}

function keyOf(line: string): string | undefined {
  return /^\s*["']?([\w-]+)["']?\s*=/.exec(line)?.[1];
}
