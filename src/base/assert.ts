/**
 * Assertions about our own code. A failed one is a bug, so the process dies loudly; conditions that the
 * world can cause (bad input, a lost server) are never asserted, they are values or `MatriarchError`s.
 */

/** Throws `AssertionError` unless `condition` holds; `message` names the broken invariant. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Proves to the compiler that a switch is total, and says so at run time if the types lied. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable value: ${JSON.stringify(value)}`);
}

/** First thing in a `catch` that goes on: what the world caused is returned from, a bug of ours is thrown on. */
export function rethrowBug(cause: unknown): void {
  if (cause instanceof AssertionError) throw cause;
}

/** A broken invariant of our own. Caught only by the composition root, which ends the process. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}
