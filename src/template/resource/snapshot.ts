/**
 * From what the backend has at one revision to the store that a template reads, and whether that is enough to replace a
 * file by. An empty answer is what a broken backend, a wrong prefix and a deleted cluster look like; none of them is a
 * reason to write an empty file.
 */
import type { Cluster } from '../cluster/cluster.ts';
import { compilePattern } from '../confd/path.ts';
import { Store } from '../confd/store.ts';
import { fromText } from '../go/bytes.ts';
import type { Resource } from './resource.ts';

/** All keys under the asked folders, at one revision. Keys and values are bytes. */
export interface Snapshot {
  readonly revision: string;
  readonly pairs: ReadonlyMap<string, string>;
}

export type Judged =
  | { readonly outcome: 'enough'; readonly store: Store }
  | {
      readonly outcome: 'refused';
      readonly because: 'too-few-keys' | 'required-key-missing';
      readonly message: string;
    };

/** The prefix in force: one given for all resources replaces their own, as in confd. */
export function prefixOf(resource: Resource, everywhere: string): string {
  return everywhere === '' || everywhere === '/'
    ? resource.prefix
    : `/${everywhere.replace(/^\/+|\/+$/g, '')}`;
}

/** What the backend is asked for: keys and the folders under them. */
export function backendKeys(resource: Resource, everywhere: string): string[] {
  const prefix = prefixOf(resource, everywhere);
  return resource.keys.map((key) => join(prefix, key));
}

/** Whether a key of the backend is wanted by one of those asked for: `/pg` wants `/pg` and `/pg/x`, and not `/pgother`. */
export function isWanted(wanted: readonly string[], key: string): boolean {
  return wanted.some((each) => key === each || each === '/' || key.startsWith(`${each}/`));
}

/** Whether there are enough members for a template that asks for them. */
export function judgeMembers({ members }: Cluster, { minMembers }: Resource): string | undefined {
  return members.length < minMembers
    ? `${members.length} of at least ${minMembers} members are there`
    : undefined;
}

export function judge(snapshot: Snapshot, resource: Resource, everywhere: string): Judged {
  const prefix = fromText(prefixOf(resource, everywhere));
  const wanted = backendKeys(resource, everywhere).map(fromText);
  const pairs = new Map<string, string>();
  for (const [key, value] of snapshot.pairs)
    if (isWanted(wanted, key)) pairs.set(withoutPrefix(key, prefix), value);
  if (pairs.size < resource.minKeys)
    return {
      outcome: 'refused',
      because: 'too-few-keys',
      message: `${pairs.size} of at least ${resource.minKeys} keys are there`,
    };
  const keys = [...pairs.keys()];
  const missing = resource.require.find(
    (pattern) => !keys.some(compilePattern(fromText(pattern)) ?? (() => false)),
  );
  if (missing !== undefined)
    return { outcome: 'refused', because: 'required-key-missing', message: `no key matches ${missing}` };
  return { outcome: 'enough', store: new Store(pairs) };
}

function join(prefix: string, key: string): string {
  return `${prefix === '/' ? '' : prefix}${key === '/' ? '' : key}` || '/';
}

function withoutPrefix(key: string, prefix: string): string {
  return prefix === '/' ? key : key.slice(prefix.length) || '/';
}
