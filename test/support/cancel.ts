/** Cancels, as libpq sends them: on a connection of their own. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import type { Client } from 'pg';
import { CancelRequest } from '../../src/wire/index.ts';
import type { RunningRouter } from './router.ts';

/** What a cancel of what the client does must name. */
export function keyOf(client: Client): { readonly processID: number; readonly secretKey: number } {
  assert('processID' in client && 'secretKey' in client);
  return { processID: Number(client.processID), secretKey: Number(client.secretKey) };
}

/** Sends a CancelRequest, which gets no answer; resolves when its connection is closed, as libpq waits for. */
export async function cancel(
  router: Pick<RunningRouter, 'host' | 'port'>,
  processId: number,
  key: number,
): Promise<void> {
  const secretKey = Buffer.alloc(4);
  secretKey.writeInt32BE(key | 0);
  await new Promise<void>((resolve) => {
    const socket = connect({ host: router.host, port: router.port }, () =>
      socket.write(CancelRequest(processId, secretKey)),
    );
    socket.once('close', () => resolve());
    socket.resume();
  });
}
