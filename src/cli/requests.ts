/**
 * Signals by which somebody asks a running service for something: SIGHUP to read its file again, SIGUSR2 for a successor.
 * By default each of them ends a process. Whoever sends one cannot know how far a start or an end has come (`kill -HUP`
 * right after the start, or to a router that waits for its last clients), so from the first moment to the last it must not.
 */

/** Calls `listener` at each request; gives the function that ends that. */
export type OnRequest = (listener: () => void) => () => void;

/** The part of `process` that is needed. */
export interface SignalSource {
  readonly on: (name: NodeJS.Signals, listener: () => void) => unknown;
}

/**
 * Takes `name` over for the rest of the process's life. One that comes before anybody listens is kept for who does, once,
 * however many they were; what comes after him is ignored. One listener at a time.
 */
export function requestsBy(name: NodeJS.Signals, source: SignalSource): OnRequest {
  let isKept = false;
  let heard = (): void => {
    isKept = true;
  };
  source.on(name, () => heard());
  return (listener) => {
    heard = listener;
    if (isKept) {
      isKept = false;
      // Not before whoever listens has what this call gives.
      queueMicrotask(() => heard());
    }
    return () => {
      heard = ignored;
    };
  };
}

const ignored = (): void => undefined;
