/**
 * Sources that are not a store of keys, as keys: the environment, and files of YAML or JSON. Names and forms are
 * confd's: `DATABASE_URL` is `/database/url`, the second of a list is `/list/1`, and what is null is not there.
 */
import { formatFloat } from '../go/float-text.ts';

/** Variables as keys, every one of them. No key has a capital or an underscore, so none must be asked for with one. */
export function environmentPairs(
  variables: Readonly<Record<string, string | undefined>>,
): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const [name, value] of Object.entries(variables))
    if (value !== undefined) pairs.set(`/${name.toLowerCase().replaceAll('_', '/')}`, value);
  return pairs;
}

/** What a file says, leaf by leaf. */
export function documentPairs(document: unknown): Map<string, string> {
  const pairs = new Map<string, string>();
  const walk = (node: unknown, key: string): void => {
    if (Array.isArray(node)) for (const [index, each] of node.entries()) walk(each, `${key}/${index}`);
    else if (typeof node === 'object' && node !== null)
      for (const [name, each] of Object.entries(node)) walk(each, `${key}/${name}`);
    else if (typeof node === 'number') pairs.set(key, formatFloat(node, 'f', undefined));
    else if (typeof node === 'string' || typeof node === 'boolean' || typeof node === 'bigint')
      pairs.set(key, String(node));
  };
  walk(document, '');
  pairs.delete('');
  return pairs;
}
