/** Waiting for a condition in a test: until it holds, or with an error that says what was seen instead. */
import { pause } from '../../src/base/index.ts';

/** Returns the first value of `look` for which `holds`; fails after `withinMs`. */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  options: { readonly holds: (seen: T) => boolean; readonly withinMs: number },
): Promise<T> {
  const deadline = performance.now() + options.withinMs;
  for (;;) {
    const seen = await look();
    if (options.holds(seen)) return seen;
    if (performance.now() > deadline) {
      throw new Error(`not within ${options.withinMs} ms: ${what}; last seen: ${JSON.stringify(seen)}`);
    }
    await pause(10);
  }
}
