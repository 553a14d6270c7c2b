/**
 * Parsers meet their bytes in any portions. Each case is run whole, byte by byte, and cut at random (fast-check
 * prints the seed and the smallest cut that fails). Every portion is a copy that is overwritten after use, so a
 * parser that keeps what it was lent is found out.
 */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';

/** Runs a parser over `portions` and returns what it saw, as plain values. */
export type Run = (portions: Iterable<Buffer>) => unknown;

/** Asserts that `run` sees `expected`, however `bytes` is cut. */
export function assertAnyCut(bytes: Buffer, run: Run, expected: unknown): void {
  assert.deepEqual(run(portionsOf(bytes, [])), expected, 'whole');
  const everywhere = Array.from(bytes, (_, index) => index);
  assert.deepEqual(run(portionsOf(bytes, everywhere)), expected, 'byte by byte');
  fc.assert(
    fc.property(cutsOf(bytes), (cuts) => {
      assert.deepEqual(run(portionsOf(bytes, cuts)), expected);
    }),
    { numRuns: 30 },
  );
}

/** Places to cut `bytes` at; the same place twice makes an empty portion. */
export function cutsOf(bytes: Buffer): fc.Arbitrary<readonly number[]> {
  return fc.array(fc.nat({ max: bytes.length }), { maxLength: 12 }).map((cuts) => cuts.sort((a, b) => a - b));
}

/** The bytes between ascending `cuts`, each in a Buffer that does not outlive the next. */
export function* portionsOf(bytes: Buffer, cuts: readonly number[]): Generator<Buffer> {
  let start = 0;
  for (const end of [...cuts, bytes.length]) {
    const portion = Buffer.from(bytes.subarray(start, end));
    yield portion;
    portion.fill(0xee);
    start = end;
  }
}
