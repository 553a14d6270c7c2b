/**
 * Passing a cancel on to a server: a connection of its own, encrypted like the one it is for, which gets no answer.
 * Manual: "Canceling Requests in Progress".
 */
import { CancelRequest, type CancelTarget } from '../wire/index.ts';
import { openServerSocket } from './server-tls.ts';
import type { Upstream } from './upstream.ts';

const CANCEL_TIMEOUT_MS = 5000;

/** `settled`: the server has passed it on, or will never see it. `in-doubt`: it may still arrive. */
export type CancelEnd = 'settled' | 'in-doubt';

/** Finds whom a cancel is for. `ended` is called once, when it can hit nothing any more, or is for nobody. */
export type PassOnCancel = (target: CancelTarget, ended: () => void) => void;

/** `ended` is called once: when the server has closed the connection, or we have given it up, or there is none. */
export function cancelAt(
  upstream: Upstream,
  ended: (how: CancelEnd) => void,
  timeoutMs = CANCEL_TIMEOUT_MS,
): void {
  const { ready, address, tls } = upstream;
  if (ready === undefined) {
    ended('settled');
    return;
  }
  const opening = openServerSocket(
    { address, tls },
    {
      ready: (socket) => {
        let how: CancelEnd = 'in-doubt';
        // The server closes it in order once it has signalled the process.
        socket.once('end', () => {
          how = 'settled';
        });
        socket.on('error', () => socket.destroy());
        socket.once('close', () => ended(how));
        socket.setTimeout(timeoutMs, () => socket.destroy());
        socket.end(CancelRequest(ready.processId, ready.secretKey));
        socket.resume();
      },
      failed: () => ended('settled'),
    },
  );
  opening.setTimeout(timeoutMs, () => opening.destroy());
}
