/** Reading accepted sockets into one buffer. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { Scratch } from '../../../src/router/scratch.ts';
import { readShared } from '../../../src/router/shared-read.ts';

test('accepted sockets share one read buffer, stop and go on reading, and end', async (t) => {
  const scratch = new Scratch(64 * 1024);
  const heard: string[] = [];
  const isShared: boolean[] = [];
  const accepted: Socket[] = [];
  const server = createServer((socket) => {
    accepted.push(socket);
    isShared.push(
      readShared(socket, scratch, (chunk) => {
        assert.equal(chunk.buffer, scratch.bytes.buffer);
        heard.push(chunk.toString());
        socket.write(chunk.toString().toUpperCase());
      }),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert(typeof address === 'object' && address !== null);
  const clients = [1, 2].map(() => connect(address.port, '127.0.0.1'));
  for (const [index, client] of clients.entries()) {
    client.write(`hello ${index}`);
    const [answer]: unknown[] = await once(client, 'data');
    assert.equal(String(answer), `HELLO ${index}`);
  }
  const [first] = accepted;
  const [client] = clients;
  assert(first !== undefined && client !== undefined);
  first.pause();
  client.write('later');
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(heard.length, 2, 'a paused socket is not read');
  first.resume();
  const [answer]: unknown[] = await once(client, 'data');
  assert.equal(String(answer), 'LATER');
  const closed = Promise.all(accepted.map(async (socket) => await once(socket, 'close')));
  for (const each of clients) each.end();
  await closed;
  assert.deepEqual({ heard, isShared }, { heard: ['hello 0', 'hello 1', 'later'], isShared: [true, true] });
});
