/** Durations as operators write them: PostgreSQL's units, a bare number is seconds. */
const UNIT_MS: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** What a duration written as text looks like; the unit is one of PostgreSQL's. */
export const DURATION_PATTERN = /^\s*(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d)?\s*$/;

/** Milliseconds of `250ms`, `5s`, `1min` or a number of seconds; undefined when it is none of these. */
export function parseDuration(value: string | number): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value * 1000 : undefined;
  const match = DURATION_PATTERN.exec(value);
  if (match === null) return undefined;
  const unit = UNIT_MS[match[2] ?? 's'];
  return unit === undefined ? undefined : Number(match[1]) * unit;
}
