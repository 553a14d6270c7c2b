/** What is written to sockets: the bytes given may be overwritten at once, whether or not the kernel took them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { Flusher } from '../../../src/router/flusher.ts';
import { Outbox } from '../../../src/router/outbox.ts';

/** Enough for any socket buffer of a loopback connection to be full. */
const UNREAD_BYTES = 16 * 1024 * 1024;
/** Left in the socket when that is so. */
const KEPT_BYTES = 256 * 1024;

test('bytes arrive as they were given, from several outboxes, and when the other side does not read', async (t) => {
  const server = createServer({ pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert(typeof address === 'object' && address !== null);
  const flusher = new Flusher();
  const pairs: { client: Socket; accepted: Socket; outbox: Outbox; sent: number }[] = [];
  for (let count = 0; count < 2; count += 1) {
    const client = connect(address.port, '127.0.0.1');
    const [accepted]: Socket[] = await once(server, 'connection');
    assert(accepted !== undefined);
    pairs.push({ client, accepted, outbox: new Outbox(client, flusher), sent: 0 });
  }
  const chunk = Buffer.alloc(900);
  let wasKept = false;
  const isEnough = (): boolean => pairs.every(({ client }) => client.writableLength > KEPT_BYTES);
  for (let event = 0; !isEnough(); event += 1) {
    assert(event * chunk.length < UNREAD_BYTES, 'the kernel takes everything');
    for (const pair of pairs) {
      chunk.fill(pair.sent % 251);
      pair.sent += 1;
      // In three pieces.
      pair.outbox.add(chunk.subarray(0, 100));
      pair.outbox.add(chunk.subarray(100, 400));
      pair.outbox.add(Buffer.from(chunk.subarray(400)));
      if (event % 2 === 0) flusher.flush();
    }
    flusher.flush();
    chunk.fill(255);
    wasKept ||= pairs.some(({ client }) => client.writableLength > 0);
  }
  assert(wasKept, 'a socket kept bytes that the kernel did not take');
  for (const { client, accepted, sent } of pairs) {
    let at = 0;
    accepted.on('data', (piece) => {
      for (const byte of piece) {
        if (byte !== Math.floor(at / chunk.length) % 251) assert.fail(`byte ${at} is ${byte}`);
        at += 1;
      }
    });
    accepted.resume();
    client.end();
    await once(accepted, 'end');
    assert.equal(at, sent * chunk.length);
  }
});
