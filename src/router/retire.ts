/**
 * A router that has been taken over: it accepts nobody, and stays for the clients that it has and for the cancels that it
 * passes on to its own predecessor. Who is left at `drain_timeout` is let go as at any other end.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { type Clock, pause } from '../base/index.ts';
import type { Listener } from './listener.ts';
import type { Predecessor } from './predecessor.ts';

export interface RetireParts {
  readonly listener: Listener;
  readonly clock: Clock;
  readonly predecessor: Predecessor | undefined;
  /** 0: no limit. */
  readonly timeoutMs: number;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
  readonly closeSockets: () => void;
}

const LOOK_EVERY_MS = 50;
/** Turns of the event loop in which those are accepted who have connected to a Unix socket just before it was exchanged. */
const LAST_TURNS = 3;

export async function retire(parts: RetireParts): Promise<void> {
  const { listener, clock, predecessor, timeoutMs, signal, closeSockets } = parts;
  for (let left = LAST_TURNS; left > 0; left -= 1) await turn();
  closeSockets();
  listener.dismissAdmins();
  const deadline = timeoutMs === 0 ? Number.POSITIVE_INFINITY : clock.now() + timeoutMs;
  while (listener.size > 0 && !signal.aborted && clock.now() < deadline) await pause(LOOK_EVERY_MS, signal);
  // Its clients are cancelled by way of us.
  if (listener.size === 0) await predecessor?.gone(signal);
}
