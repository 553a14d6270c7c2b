/** Errors of the system, told apart by their `code` (ENOENT, ESRCH), never by their words. */

export function isNodeError(cause: unknown): cause is NodeJS.ErrnoException {
  return cause instanceof Error && 'code' in cause;
}
