/**
 * How fresh a read must be, as people write it: a level, and beside it a bound on how far behind its server may be. Pure.
 *
 *   eventual   as any server has it
 *   session    not older than what the session itself has written and read
 *   shared     and not older than what sessions of the same role and database have written, through this router
 *   strong     not older than anything that was acknowledged to anybody: at the primary
 */
export const LEVELS = ['eventual', 'session', 'shared', 'strong'] as const;
export type Level = (typeof LEVELS)[number];

/** The most that a server may be behind the primary: one of the two. */
export interface Staleness {
  readonly ms: number;
  readonly bytes: number;
}

/** What is wished of one unit of work; what it does not say is as the file says. */
export interface Freshness {
  readonly level: Level | undefined;
  readonly staleness: Staleness | undefined;
}

/** A time or a number of bytes; a number alone is milliseconds. */
const STALENESS_PATTERN = /^(\d{1,12})(ms|s|min|h|B|kB|MB|GB)?$/;

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['min', 60_000],
  ['h', 3_600_000],
]);
const UNIT_BYTES: ReadonlyMap<string, number> = new Map([
  ['B', 1],
  ['kB', 1024],
  ['MB', 1024 ** 2],
  ['GB', 1024 ** 3],
]);

/** Undefined: it is none. */
export function readStaleness(text: string): Staleness | undefined {
  const [, number = '', unit = 'ms'] = STALENESS_PATTERN.exec(text) ?? [];
  if (number === '') return undefined;
  const ms = UNIT_MS.get(unit);
  const bytes = UNIT_BYTES.get(unit);
  return {
    ms: ms === undefined ? Number.POSITIVE_INFINITY : Number(number) * ms,
    bytes: bytes === undefined ? Number.POSITIVE_INFINITY : Number(number) * bytes,
  };
}

/** Of two statements that run on one server, so that each gets what it wishes; `fallback` is what one that is silent gets. */
export function stricterFreshness(one: Freshness, other: Freshness, fallback: Level): Freshness {
  const [first, second] = [one.level ?? fallback, other.level ?? fallback];
  return {
    level: LEVELS.indexOf(first) >= LEVELS.indexOf(second) ? first : second,
    staleness: stricterStaleness(one.staleness, other.staleness),
  };
}

/** As people write it: `session`, or `eventual, max_staleness 5000ms`. */
export function freshnessText(freshness: Freshness | undefined, fallback: Level): string {
  const { level = fallback, staleness } = freshness ?? {};
  if (staleness === undefined) return level;
  const bounds = [
    ...(Number.isFinite(staleness.ms) ? [`${staleness.ms}ms`] : []),
    ...(Number.isFinite(staleness.bytes) ? [`${staleness.bytes}B`] : []),
  ];
  return `${level}, max_staleness ${bounds.join(' and ')}`;
}

function stricterStaleness(one: Staleness | undefined, other: Staleness | undefined): Staleness | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return { ms: Math.min(one.ms, other.ms), bytes: Math.min(one.bytes, other.bytes) };
}
