/**
 * What becomes of one key of a Patroni file, and the readers of values. A key is carried over (`to`), has no effect (`none`,
 * with the reason), is translated together with others (`together`, saying into what), or is refused: nobody may run
 * without what it asks for (`refused`, with the reason, unless its value asks for nothing).
 */
import { isRecord } from '../base/index.ts';
import type { Read } from './row.ts';

export type ValueReader = (value: unknown) => Read;

export type PatroniRow =
  | { readonly to: string; readonly read: ValueReader; readonly says?: string }
  /** With these values nothing is missed, so nothing is said. */
  | { readonly none: string; readonly silentIf?: readonly unknown[] }
  /** `says` is told where the value is none of `silentIf`. */
  | { readonly together: string; readonly says?: string; readonly silentIf?: readonly unknown[] }
  | { readonly refused: string; readonly unless?: readonly unknown[] };

/** By path with dots; `*` is any name. A key covers all that is under it, unless keys under it are listed too. */
export type PatroniTable = Readonly<Record<string, PatroniRow>>;

export const asText: ValueReader = (value) => {
  const text = textOf(value);
  return text === undefined ? { bad: 'is no text' } : { value: text };
};

/** The same, where an empty text is as if the key were not there. */
export const asFilled: ValueReader = (value) => (value === '' ? { value: undefined } : asText(value));

export const asTexts: ValueReader = (value) => {
  const texts: unknown[] = Array.isArray(value) ? value.map(textOf) : [undefined];
  return texts.includes(undefined) ? { bad: 'is no list of texts' } : { value: texts };
};

/** Patroni's own list of what is true and false. */
export const asSwitch: ValueReader = (value) => {
  const text = textOf(value) ?? '';
  if (/^(true|on|yes|1)$/i.test(text)) return { value: true };
  return /^(false|off|no|0)$/i.test(text) ? { value: false } : { bad: 'is neither on nor off' };
};

/** Patroni's words for the modes. */
export const asWatchdogMode: ValueReader = (value) => {
  const text = textOf(value)?.toLowerCase() ?? '';
  if (/^(off|false|disabled?)$/.test(text)) return { value: 'off' };
  if (/^auto(matic)?$/.test(text)) return { value: 'automatic' };
  return /^required?$/.test(text) ? { value: 'required' } : { bad: 'is none of off, automatic, required' };
};

/** A text, number or switch as text; undefined for anything else. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

export const asIs: ValueReader = (value) => ({ value });

/** Lines of a file such as pg_hba.conf. */
export const asLines: ValueReader = (value) =>
  Array.isArray(value) && value.every((line) => typeof line === 'string')
    ? { value }
    : { bad: 'is no list of lines' };

/** Names with values; a null is as if the name were not there. */
export const asScalars: ValueReader = (value) => {
  if (!isRecord(value)) return { bad: 'is no mapping of names to values' };
  const given = Object.entries(value).filter(([, each]) => each !== null);
  const wrong = given.filter(([, each]) => !['string', 'number', 'boolean'].includes(typeof each));
  return wrong.length > 0
    ? { bad: `has values that are no text, number or switch: ${wrong.map(([name]) => name).join(', ')}` }
    : { value: Object.fromEntries(given) };
};

/** `host:port`, or a host with the usual port; several hosts with commas. IPv6 comes out in brackets, where it stands alone. */
export const asAddress =
  (usualPort: number): ValueReader =>
  (value) => {
    if (typeof value !== 'string' || value.trim() === '') return { bad: 'is no address' };
    const text = value.trim();
    if (/^[0-9a-fA-F]*:[0-9a-fA-F:]*:[0-9a-fA-F]*$/.test(text) && !/\]:\d+$/.test(text)) {
      // As Patroni splits it: behind the last colon is the port.
      const last = text.lastIndexOf(':');
      return { value: `[${text.slice(0, last)}]:${text.slice(last + 1)}` };
    }
    return { value: /:\d+$/.test(text) ? text : `${text}:${usualPort}` };
  };

/** The same for a server that listens itself, where `*` is every address. */
export const asListener =
  (usualPort: number): ValueReader =>
  (value) => {
    const read = asAddress(usualPort)(value);
    return 'value' in read ? { value: String(read.value).replace(/^\*:/, '0.0.0.0:') } : read;
  };

const LEVELS: Readonly<Record<string, string>> = {
  debug: 'debug',
  notset: 'debug',
  info: 'info',
  warning: 'warn',
  warn: 'warn',
  error: 'error',
  critical: 'error',
  fatal: 'error',
};

export const asLevel: ValueReader = (value) => {
  const level = LEVELS[textOf(value)?.toLowerCase() ?? ''];
  return level === undefined ? { bad: `is none of ${Object.keys(LEVELS).join(', ')}` } : { value: level };
};

/**
 * Options of a program, as a list of `name` and `name: value`, or as a mapping: `name=value`, without dashes. Those that the
 * agent gives by itself are left out.
 */
export const asOptions =
  (program: string, ownOptions: readonly string[]): ValueReader =>
  (value) => {
    const items: readonly unknown[] = Array.isArray(value) ? value : [value];
    const options = items.flatMap((item): readonly (readonly [string, unknown])[] => {
      if (typeof item === 'string') return [[item, undefined]];
      return isRecord(item) ? Object.entries(item) : [['', undefined]];
    });
    if (options.some(([name]) => !/^[a-z][a-z-]*$/.test(name))) return { bad: 'is no list of options' };
    const kept = options.filter(([name]) => !ownOptions.includes(name));
    const rendered = kept.map(([name, each]) =>
      each === undefined ? name : `${name}=${textOf(each) ?? ''}`,
    );
    const left = options.map(([name]) => name).filter((name) => ownOptions.includes(name));
    if (left.length === 0) return { value: rendered };
    return { value: rendered, says: `${left.join(', ')} of ${program}: left out, for the agent sees to it` };
  };
