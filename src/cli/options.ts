/** Values of command line options, checked where commander reports them. */
import { InvalidArgumentError } from 'commander';
import { type Address, parseDuration } from '../base/index.ts';

/** Milliseconds of `500ms`, `5s`, `1min` or a number of seconds. */
export function parsePeriod(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new InvalidArgumentError('expected a duration such as 500ms, 5s, 1min or a number of seconds');
}

/** `host:port`, where something listens. */
export function parseListen(text: string): Address {
  const [, host = '', port = ''] = /^(\[[^\]]+\]|[^:\s]+):(\d{1,5})$/.exec(text) ?? [];
  if (host !== '' && Number(port) <= 65_535)
    return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
  throw new InvalidArgumentError('expected an address such as 127.0.0.1:8010');
}
