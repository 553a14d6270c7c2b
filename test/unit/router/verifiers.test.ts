/** Looking up verifiers, against a server that answers as the test wants. */
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { silentLog, systemClock } from '../../../src/base/index.ts';
import { createMemoryDcs } from '../../../src/dcs/index.ts';
import { Verifiers } from '../../../src/router/verifiers.ts';
import {
  AuthenticationOk,
  buildVerifier,
  CommandComplete,
  FRONTEND,
  FrameReader,
  LIMITS_BEFORE_AUTHENTICATION,
  ReadyForQuery,
  renderVerifier,
  StartupReader,
} from '../../../src/wire/index.ts';
import { eventually } from '../../support/eventually.ts';
import { freshLoopback } from '../../support/loopback.ts';
import { aRow } from '../../support/test-server.ts';

const PORT = 5432;
const KEY = '/matriarch/test/router-credential';
const VERIFIER = renderVerifier(buildVerifier('secret', Buffer.from('sixteen bytes ok'), 4096));
const ANSWER = Buffer.concat([aRow(VERIFIER), CommandComplete('SELECT 1'), ReadyForQuery('I')]);

/** A server that lets everybody in and gives `answer` to each question; keeps its connections. */
async function aServer(t: TestContext, answer: (question: number) => Buffer) {
  const sockets: Socket[] = [];
  let questions = 0;
  const server = createServer((socket) => {
    sockets.push(socket);
    const startup = new StartupReader();
    const frames = new FrameReader(LIMITS_BEFORE_AUTHENTICATION);
    let isIn = false;
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      if (!isIn) {
        isIn = startup.push(chunk) !== undefined;
        if (isIn) socket.write(Buffer.concat([AuthenticationOk(), ReadyForQuery('I')]));
        return;
      }
      frames.push(chunk, {
        delivery: () => 'whole',
        whole: (tag) => {
          if (tag !== FRONTEND.Sync) return;
          questions += 1;
          socket.write(answer(questions));
        },
        pass: () => undefined,
      });
    });
  });
  const host = freshLoopback();
  await new Promise<void>((resolve) => {
    server.listen(PORT, host, resolve);
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { address: { host, port: PORT }, sockets };
}

async function verifiersAt(t: TestContext, server: { readonly address: { host: string; port: number } }) {
  const store = createMemoryDcs({ clock: systemClock, tickEveryMs: 5 });
  const dcs = store.connect();
  t.after(() => store.close());
  const value = JSON.stringify({ username: 'matriarch_router', password: 'p' });
  await dcs.transact({ when: [], then: [{ op: 'put', key: KEY, value }] }, { timeoutMs: 1000 });
  const verifiers = new Verifiers({
    dcs,
    credentialKey: KEY,
    clock: systemClock,
    log: silentLog,
    members: () => [{ name: 'n1', address: server.address, isLeader: true }],
    connectTimeoutMs: () => 1000,
  });
  t.after(() => verifiers.close());
  return verifiers;
}

describe('a login', () => {
  test('finds its verifier at once, however many roles log in for the first time together', async (t) => {
    const server = await aServer(t, () => ANSWER);
    const verifiers = await verifiersAt(t, server);
    const users = Array.from({ length: 20 }, (_, index) => `user${index}`);
    const found = await Promise.all(users.map(async (user) => await verifiers.lookup(user)));
    assert.deepEqual(
      found.map((verifier) => verifier !== undefined && renderVerifier(verifier)),
      users.map(() => VERIFIER),
    );
    assert.equal(server.sockets.length, 1);
  });

  test('is not stopped for ever by a server that talked nonsense: it is asked anew', async (t) => {
    const server = await aServer(t, (question) => (question === 1 ? Buffer.from('nonsense') : ANSWER));
    const verifiers = await verifiersAt(t, server);
    await assert.rejects(verifiers.lookup('app'), { code: 'router-no-server' });
    assert.notEqual(await verifiers.lookup('app'), undefined);
    await eventually('the first connection is closed', () => server.sockets[0]?.destroyed ?? false, {
      holds: (isClosed) => isClosed,
      withinMs: 1000,
    });
  });
});
