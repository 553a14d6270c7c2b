/** Values of command line options, checked where commander reports them. */
import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../base/index.ts';

/** Milliseconds of `500ms`, `5s`, `1min` or a number of seconds. */
export function parsePeriod(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new InvalidArgumentError('expected a duration such as 500ms, 5s, 1min or a number of seconds');
}
