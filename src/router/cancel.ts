/** Passing a cancel on to a server: a connection of its own, which gets no answer. Manual: "Canceling Requests in Progress". */
import { connect } from 'node:net';
import { CancelRequest } from '../wire/index.ts';
import type { Upstream } from './upstream.ts';

const CANCEL_TIMEOUT_MS = 5000;

/** `done` is called once, when the server has closed the connection, or there is none. */
export function cancelAt(upstream: Upstream, done: () => void): void {
  const { ready, address } = upstream;
  if (ready === undefined) {
    done();
    return;
  }
  const socket = connect({ host: address.host, port: address.port, timeout: CANCEL_TIMEOUT_MS }, () => {
    socket.end(CancelRequest(ready.processId, ready.secretKey));
  });
  socket.on('timeout', () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.once('close', done);
  socket.resume();
}
