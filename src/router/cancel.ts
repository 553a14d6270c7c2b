/**
 * Passing a cancel on to a server: a connection of its own, encrypted like the one it is for, which gets no answer.
 * Manual: "Canceling Requests in Progress".
 */
import { CancelRequest } from '../wire/index.ts';
import { openServerSocket } from './server-tls.ts';
import type { Upstream } from './upstream.ts';

const CANCEL_TIMEOUT_MS = 5000;

/** `done` is called once, when the server has closed the connection, or there is none. */
export function cancelAt(upstream: Upstream, done: () => void): void {
  const { ready, address, tls } = upstream;
  if (ready === undefined) {
    done();
    return;
  }
  const opening = openServerSocket(
    { address, tls },
    {
      ready: (socket) => {
        socket.on('error', () => socket.destroy());
        socket.once('close', done);
        socket.setTimeout(CANCEL_TIMEOUT_MS, () => socket.destroy());
        socket.end(CancelRequest(ready.processId, ready.secretKey));
        socket.resume();
      },
      failed: done,
    },
  );
  opening.setTimeout(CANCEL_TIMEOUT_MS, () => opening.destroy());
}
