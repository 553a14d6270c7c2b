/**
 * What a person wishes about where a statement runs, as text and as values: the comment at the head of a statement, the
 * values of `matriarch.route` and its kin, and the rules of the file all say it in these words. A wish is not an order: a
 * write goes to the primary whatever is wished, and a wish that cannot be met is as none. Pure.
 *
 *   primary | replica | local | any | node=NAME        where
 *   consistency=LEVEL   max_staleness=TIME or BYTES     how far behind it may be
 */
import { LEVELS, type Level, readStaleness, type Staleness } from './consistency-level.ts';

/** `any` takes back what a rule or a setting wishes. `replica`: not the leader. `local`: of the router's datacenter. */
export type Route =
  | { readonly kind: 'any' | 'primary' | 'replica' | 'local' }
  | { readonly kind: 'node'; readonly name: string };

export interface Wishes {
  readonly route?: Route;
  readonly consistency?: Level;
  readonly maxStaleness?: Staleness;
}

export interface HintRead {
  readonly wishes: Wishes;
  /** Words that were not understood. */
  readonly unread: readonly string[];
}

/** The words of one hint, parted by commas, semicolons or blanks. */
export function readHint(text: string): HintRead {
  let wishes: Wishes = {};
  const unread: string[] = [];
  for (const word of text.split(/[\s,;]+/)) {
    if (word === '') continue;
    const read = readWord(word);
    if (read === undefined) unread.push(word);
    else wishes = { ...wishes, ...read };
  }
  return { wishes, unread };
}

/** A route in the words of a hint. */
export function routeText(route: Route): string {
  return route.kind === 'node' ? `node=${route.name}` : route.kind;
}

function readWord(word: string): Wishes | undefined {
  const [key = '', ...rest] = word.split('=');
  const value = rest.join('=');
  switch (key.toLowerCase()) {
    case 'primary':
      return rest.length === 0 ? { route: { kind: 'primary' } } : undefined;
    case 'replica':
    case 'standby':
      return rest.length === 0 ? { route: { kind: 'replica' } } : undefined;
    case 'local':
      return rest.length === 0 ? { route: { kind: 'local' } } : undefined;
    case 'any':
      return rest.length === 0 ? { route: { kind: 'any' } } : undefined;
    case 'node':
      return value === '' ? undefined : { route: { kind: 'node', name: value } };
    case 'consistency': {
      const level = LEVELS.find((one) => one === value.toLowerCase());
      return level && { consistency: level };
    }
    case 'max_staleness': {
      const staleness = readStaleness(value);
      return staleness && { maxStaleness: staleness };
    }
    default:
      return undefined;
  }
}
