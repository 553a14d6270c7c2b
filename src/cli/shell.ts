/**
 * What a command gets from the outside. Made once, in main.ts, from the real process; tests make their own. No
 * command reads `process` by itself.
 */
import type { Clock } from '../base/index.ts';
import type { Channel } from '../router/index.ts';
import type { OnRequest } from './requests.ts';

export interface Shell {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes to standard output: results, nothing else. */
  readonly out: (text: string) => void;
  /** Writes to standard error: progress, warnings, errors. */
  readonly err: (text: string) => void;
  /** Standard output is a terminal. */
  readonly isTerminal: boolean;
  readonly clock: Clock;
  readonly nodeVersion: string;
  /** Aborted by the first SIGTERM or SIGINT: end in order. A second one ends the process at once. */
  readonly signal: AbortSignal;
  /** SIGHUP, as a request; called first by a service, which no SIGHUP ends from then on. */
  readonly hangUps: () => OnRequest;
  /** SIGUSR2, in the same way. */
  readonly takeOvers: () => OnRequest;
  /** Starts this command again, in a process that takes over from this one. */
  readonly startSuccessor: () => Channel;
  /** The process that this one takes over from. */
  readonly predecessor: Channel | undefined;
  /** Sets the exit status of a command that ends without an error, such as `EXIT.failed` for "no primary". */
  readonly setExit: (code: number) => void;
  /** Runs work, such as clearing up, that a second signal must not cut short. */
  readonly undisturbed: (work: () => Promise<void>) => Promise<void>;
}
