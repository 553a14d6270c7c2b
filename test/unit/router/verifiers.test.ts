/** Looking up verifiers, against a server that answers as the test wants. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { type Address, MatriarchError, silentLog, systemClock } from '../../../src/base/index.ts';
import { createMemoryDcs } from '../../../src/dcs/index.ts';
import { Verifiers } from '../../../src/router/verifiers.ts';
import {
  AuthenticationOk,
  buildVerifier,
  CommandComplete,
  ErrorResponse,
  FRONTEND,
  FrameReader,
  LIMITS_BEFORE_AUTHENTICATION,
  ReadyForQuery,
  renderVerifier,
  StartupReader,
} from '../../../src/wire/index.ts';
import { eventually } from '../../support/eventually.ts';
import { freshLoopback } from '../../support/loopback.ts';
import { LOOKUP_SETTINGS } from '../../support/lookup-settings.ts';
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

interface At {
  readonly address: Address;
}

/** With `leader`, the first is a standby. */
async function verifiersAt(t: TestContext, first: At, leader?: At) {
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
    members: () => [
      { name: 'n1', address: first.address, isLeader: leader === undefined },
      ...(leader === undefined ? [] : [{ name: 'n2', address: leader.address, isLeader: true }]),
    ],
    settings: () => LOOKUP_SETTINGS,
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
      found.map((secret) => secret?.kind === 'scram' && renderVerifier(secret.verifier)),
      users.map(() => VERIFIER),
    );
    assert.equal(server.sockets.length, 1);
  });

  test('of nobody finds the same salt at each router that has the same password for its questions', async (t) => {
    const server = await aServer(t, () => Buffer.concat([CommandComplete('SELECT 0'), ReadyForQuery('I')]));
    const saltAfterLookup = async (): Promise<string> => {
      const verifiers = await verifiersAt(t, server);
      assert.equal(await verifiers.lookup('nobody'), undefined);
      const known = verifiers.verifierOf({ kind: 'plain', password: 'p' }, 'nobody');
      assert.deepEqual(known?.salt, verifiers.mockOf('nobody').salt);
      return verifiers.mockOf('nobody').salt.toString('hex');
    };
    const salt = await saltAfterLookup();
    assert.equal(await saltAfterLookup(), salt);
    // Without a password they cannot know the same.
    const alone = await verifiersAt(t, server);
    assert.notEqual(alone.mockOf('nobody').salt.toString('hex'), salt);
  });

  test('is told of a refusal of the question by what it is, and of one that passes as of no server', async (t) => {
    const refusedWith = async (code: string) => {
      const fields = { severity: 'ERROR', code, message: 'no' };
      const server = await aServer(t, () => Buffer.concat([ErrorResponse(fields), ReadyForQuery('I')]));
      const verifiers = await verifiersAt(t, server);
      return await verifiers
        .lookup('app')
        .catch((cause: unknown) => (cause instanceof MatriarchError ? cause.code : cause));
    };
    for (const code of ['42501', '42883', '42P01', '3F000', '22023'])
      assert.equal(await refusedWith(code), 'router-lookup-refused', code);
    for (const code of ['57P03', '53300', '57014', 'XX000', '08006'])
      assert.equal(await refusedWith(code), 'router-no-server', code);
  });

  test('believes a refusal of a standby only if the leader says the same, or all do', async (t) => {
    const refusal = ErrorResponse({ severity: 'ERROR', code: '42883', message: 'no such function' });
    const refusing = await aServer(t, () => Buffer.concat([refusal, ReadyForQuery('I')]));
    const good = await aServer(t, () => ANSWER);
    const gone = { address: { host: freshLoopback(), port: PORT } };
    const codeAt = async (leader: typeof gone): Promise<string> => {
      const verifiers = await verifiersAt(t, refusing, leader);
      return await verifiers.lookup('app').then(
        () => 'found',
        (cause: unknown) => (cause instanceof MatriarchError ? cause.code : 'another error'),
      );
    };
    assert.equal(await codeAt(good), 'found');
    assert.equal(await codeAt(gone), 'router-no-server');
    assert.equal(await codeAt(refusing), 'router-lookup-refused');
  });

  test('does not wait for a connection that its server has ended meanwhile', async (t) => {
    const server = await aServer(t, () => ANSWER);
    const verifiers = await verifiersAt(t, server);
    await verifiers.lookup('app');
    const [kept] = server.sockets;
    assert(kept !== undefined);
    const closed = once(kept, 'close');
    kept.end();
    await closed;
    const asked = async () => await verifiers.lookup('other').catch(() => undefined);
    await eventually('it is asked anew', asked, { holds: (secret) => secret !== undefined, withinMs: 1000 });
    assert.equal(server.sockets.length, 2);
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
