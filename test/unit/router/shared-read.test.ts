/** Reading accepted sockets into one buffer. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { deferred } from '../../../src/base/index.ts';
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

test('a socket that always has more lets the event loop come to the others, and is read to its end', async (t) => {
  const scratch = new Scratch(64 * 1024);
  const total = 8 * 1024 * 1024;
  const accepted = deferred<Socket>();
  const read = { bytes: 0, atAStretch: 0, longest: 0 };
  const server = createServer((socket) => {
    readShared(socket, scratch, ({ length }) => {
      read.bytes += length;
      read.atAStretch += length;
      read.longest = Math.max(read.longest, read.atAStretch);
    });
    socket.pause();
    accepted.resolve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert(typeof address === 'object' && address !== null);
  const client = connect(address.port, '127.0.0.1');
  t.after(() => {
    client.destroy();
    server.close();
  });
  client.write(Buffer.alloc(total));
  const socket = await accepted.promise;
  // As much as the kernel takes is ready to be read when reading begins.
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.resume();
  while (read.bytes < total) {
    read.atAStretch = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(read.bytes, total);
  assert.ok(read.longest <= 4 * scratch.bytes.length, `${read.longest} bytes at a stretch`);
});
