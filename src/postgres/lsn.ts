/** Positions in the WAL: PostgreSQL's text `16/B374D848` as bytes. Numbers are exact to 2^53 (8 PiB of WAL). [pure] */

const PATTERN = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/;
const LOW = 2 ** 32;

/** Bytes; undefined when `text` is not an LSN or lies beyond 2^53. */
export function parseLsn(text: string): number | undefined {
  const found = PATTERN.exec(text.trim());
  if (found?.[1] === undefined || found[2] === undefined) return undefined;
  const bytes = Number.parseInt(found[1], 16) * LOW + Number.parseInt(found[2], 16);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
