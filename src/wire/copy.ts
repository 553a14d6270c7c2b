/**
 * Copying of pieces of messages. Most are some ten bytes long, and for these a loop costs a fifth of what Node's own
 * `copy` does, which makes a view for each part that it copies. Pure.
 */

/** Up to here the loop is the faster one. */
const LOOP_BYTES_MAX = 160;

/** Copies `from[start .. end)` into `to` at `at`, where there must be room for it; returns where that ends. */
export function copyInto(to: Buffer, at: number, from: Buffer, start: number, end: number): number {
  const length = end - start;
  if (length > LOOP_BYTES_MAX) {
    from.copy(to, at, start, end);
    return at + length;
  }
  for (let index = 0; index < length; index += 1) to[at + index] = from[start + index] ?? 0;
  return at + length;
}
