/** A promise with its handles outside, for the shells that turn events into awaits. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (cause: unknown) => void;
}

const unset = (): void => {};

/** A promise that its owner settles. */
export function deferred<T = void>(): Deferred<T> {
  let resolve: (value: T) => void = unset;
  let reject: (cause: unknown) => void = unset;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
