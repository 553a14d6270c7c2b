/**
 * What becomes of one key: the rows of the tables, and the readers of values. A key has a counterpart (`to`), none
 * (`none`, with the reason), or is translated together with others (`together`, saying into what).
 */

/** A value as matriarch.yaml has it, with what is to be said about it; or why it cannot be read. */
export type Read = { readonly value: unknown; readonly says?: string } | { readonly bad: string };

export type Reader = (value: string) => Read;

export type Row =
  | {
      /** The key of matriarch.yaml. */
      readonly to: string;
      readonly read: Reader;
      /** Written where the source does not have the key, for the defaults differ. */
      readonly absent?: string | number | boolean;
      /** What is different in each case. */
      readonly says?: string;
    }
  | {
      readonly none: string;
      /** With these values nothing is missed, so nothing is said. */
      readonly silentIf?: readonly string[];
    }
  | { readonly together: string };

export type Table = Readonly<Record<string, Row>>;

export const text: Reader = (value) => ({ value });

export const list: Reader = (value) => ({
  value: value
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== ''),
});

/** A whole number; one beyond the bounds of the counterpart is taken as the bound, and said. */
export const whole =
  (min: number, max: number): Reader =>
  (value) => {
    if (!/^-?\d+$/.test(value)) return { bad: 'is no whole number' };
    const wanted = Number(value);
    const taken = Math.min(max, Math.max(min, wanted));
    return taken === wanted
      ? { value: taken }
      : { value: taken, says: `is taken as ${taken}, the nearest that can be set` };
  };

export const connections = whole(0, 100_000);

/** A number of `unit` (s or ms), or with PostgreSQL's units. */
export const time =
  (unit: 's' | 'ms'): Reader =>
  (value) => {
    const match = /^(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d)?$/.exec(value);
    return match === null ? { bad: 'is no duration' } : { value: `${match[1]}${match[2] ?? unit}` };
  };

export const flag: Reader = (value) => {
  const read = readFlag(value);
  return read === undefined ? { bad: 'is neither on nor off' } : { value: read };
};

export function readFlag(value: string): boolean | undefined {
  if (/^(1|on|yes|true|t|y)$/i.test(value)) return true;
  return /^(0|off|no|false|f|n)$/i.test(value) ? false : undefined;
}

/** One of the keys, as its value; a text instead of a pair says what is different. */
export const oneOf =
  (choices: Readonly<Record<string, string | { readonly value: string; readonly says: string }>>): Reader =>
  (value) => {
    const chosen = choices[value.toLowerCase()];
    if (chosen === undefined) return { bad: `is none of ${Object.keys(choices).join(', ')}` };
    return typeof chosen === 'string' ? { value: chosen } : chosen;
  };

/** `PREFIX0`, `PREFIX12`: the key without its number, and the number. */
export function numbered(key: string): { readonly base: string; readonly index: number } | undefined {
  const match = /^(.*?[a-z_])(\d+)$/.exec(key);
  return match?.[1] === undefined ? undefined : { base: match[1], index: Number(match[2]) };
}
