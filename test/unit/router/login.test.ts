/** The two login machines, before each other and before strangers. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ClientLogin, type LoginStep } from '../../../src/router/login.ts';
import { ServerLogin } from '../../../src/router/server-login.ts';
import {
  AuthenticationOk,
  BACKEND,
  BackendKeyData,
  buildVerifier,
  CancelRequest,
  ErrorResponse,
  FRAME_BYTES_MAX,
  FrameReader,
  GSSENCRequest,
  ParameterStatus,
  PasswordMessage,
  Query,
  ReadyForQuery,
  readErrorFields,
  type ScramCredential,
  SSLRequest,
  StartupMessage,
  type Verifier,
} from '../../../src/wire/index.ts';

const VERIFIER = buildVerifier('secret', Buffer.from('sixteen bytes ok'), 4096);
const OTHER = buildVerifier('secret', Buffer.from('another salt....'), 4096);
const APP: [string, string][] = [['user', 'app']];

/** A login of a client at the router; `said` collects what it hears. */
function aLogin() {
  const said: Buffer[] = [];
  const login = new ClientLogin({
    serverNonce: 'server-nonce',
    mockSecret: Buffer.from('mock'),
    reply: (bytes) => said.push(bytes),
  });
  return { login, said, heard: () => Buffer.concat(said.splice(0)) };
}

/** Lets our own server login play the client: the router as a client of a router. */
function exchange(credential: ScramCredential, verifier: Verifier | undefined): LoginStep {
  const { login, heard } = aLogin();
  const toRouter: Buffer[] = [];
  const client = new ServerLogin({
    credential,
    nonce: 'client-nonce',
    reply: (bytes) => toRouter.push(bytes),
  });
  let step = login.receive(StartupMessage(APP));
  assert.deepEqual(step, { kind: 'lookup', user: 'app' });
  login.lookedUp(verifier);
  for (let round = 0; round < 3 && step.kind !== 'authenticated' && step.kind !== 'refused'; round += 1) {
    client.receive(heard());
    for (const bytes of toRouter.splice(0)) step = login.receive(bytes);
  }
  return step;
}

/** Code of the only ErrorResponse among `bytes`. */
function errorIn(bytes: Buffer): string | undefined {
  let code: string | undefined;
  new FrameReader({ wholeBytesMax: FRAME_BYTES_MAX }).push(bytes, {
    delivery: () => 'whole',
    whole: (tag, message) => {
      if (tag === BACKEND.ErrorResponse) code = readErrorFields(message).code;
    },
    pass: () => undefined,
  });
  return code;
}

describe('a client that logs in', () => {
  test('with the right password shows the key that opens servers with the same verifier', () => {
    const step = exchange({ password: 'secret' }, VERIFIER);
    assert.equal(step.kind, 'authenticated');
    if (step.kind !== 'authenticated') return;
    const { user, database, clientKey, verifier } = step.login;
    assert.deepEqual({ user, database }, { user: 'app', database: 'app' });
    assert.equal(exchange({ clientKey, verifier }, VERIFIER).kind, 'authenticated');
  });

  test('with a wrong password is refused, and the verifier is to be read again', () => {
    assert.deepEqual(exchange({ password: 'wrong' }, VERIFIER), {
      kind: 'refused',
      code: '28P01',
      isProof: true,
    });
  });

  test('as an unknown user goes through the same exchange', () => {
    assert.deepEqual(exchange({ password: 'secret' }, undefined), {
      kind: 'refused',
      code: '28P01',
      isProof: false,
    });
  });

  test('is declined encryption, also where it asks for both and begins at once', () => {
    const { login, heard } = aLogin();
    const step = login.receive(Buffer.concat([SSLRequest(), GSSENCRequest(), StartupMessage(APP)]));
    assert.deepEqual(
      { step, heard: heard().toString() },
      { step: { kind: 'lookup', user: 'app' }, heard: 'NN' },
    );
  });

  test('may send its first packet byte by byte', () => {
    const { login } = aLogin();
    const steps = [...StartupMessage(APP)].map((byte) => login.receive(Buffer.from([byte])).kind);
    assert.deepEqual([steps.at(-2), steps.at(-1)], ['wait', 'lookup']);
  });

  test('with a newer minor version is told which is spoken', () => {
    const { login, heard } = aLogin();
    login.receive(StartupMessage([...APP, ['_pq_.what', '1']], 2));
    assert.equal(heard()[0], BACKEND.NegotiateProtocolVersion);
  });

  test('is refused if it goes on talking before it is asked who it is, with nothing kept of it', () => {
    const together = aLogin();
    const step = together.login.receive(Buffer.concat([StartupMessage(APP), Query('SELECT 1')]));
    assert.deepEqual([step.kind, errorIn(together.heard())], ['refused', '08P01']);
    const later = aLogin();
    later.login.receive(StartupMessage(APP));
    assert.equal(later.login.receive(Buffer.from([0x51])).kind, 'refused');
    assert.equal(errorIn(later.heard()), '08P01');
  });

  test('finds every byte that it sent behind its proof in its session, however it was cut', () => {
    const ahead = Buffer.concat([Query('SELECT 1'), Query('x'.repeat(100_000))]);
    for (const cut of [0, 1, 4, 5, 9, 15, 20, 50_000]) {
      const { login, heard } = aLogin();
      const toRouter: Buffer[] = [];
      const client = new ServerLogin({
        credential: { password: 'secret' },
        nonce: 'client-nonce',
        reply: (bytes) => toRouter.push(bytes),
      });
      login.receive(StartupMessage(APP));
      login.lookedUp(VERIFIER);
      client.receive(heard());
      login.receive(Buffer.concat(toRouter.splice(0)));
      client.receive(heard());
      const step = login.receive(Buffer.concat([...toRouter, ahead.subarray(0, cut)]));
      assert.equal(step.kind, 'authenticated');
      if (step.kind === 'authenticated') assert.deepEqual(Buffer.concat(step.rest), ahead.subarray(0, cut));
    }
  });

  const refused: [string, Buffer, string][] = [
    ['without a user', StartupMessage([['database', 'app']]), '28000'],
    ['in protocol 2', Buffer.from([0, 0, 0, 9, 0, 2, 0, 0, 0]), '0A000'],
  ];
  for (const [what, packet, code] of refused) {
    test(`${what} is refused with ${code}`, () => {
      const { login, heard } = aLogin();
      assert.equal(login.receive(packet).kind, 'refused');
      assert.equal(errorIn(heard()), code);
    });
  }

  test('with anything but SASL is refused', () => {
    const { login, heard } = aLogin();
    login.receive(StartupMessage(APP));
    login.lookedUp(VERIFIER);
    assert.throws(() => login.receive(PasswordMessage('secret')));
    assert.equal(errorIn(heard()), undefined);
  });

  test('to cancel names whom', () => {
    const { login } = aLogin();
    const step = login.receive(CancelRequest(42, Buffer.from([1, 2, 3, 4])));
    assert.deepEqual(step, {
      kind: 'cancel',
      target: { kind: 'cancel-request', processId: 42, secretKey: Buffer.from([1, 2, 3, 4]) },
    });
  });
});

describe('a login at a server', () => {
  const credential = { clientKey: Buffer.alloc(32), verifier: OTHER };
  const aServerLogin = () => new ServerLogin({ credential, nonce: 'n', reply: () => undefined });

  test('that asks for nothing is ready with what the server told', () => {
    const told = [
      AuthenticationOk(),
      ParameterStatus('a', 'b'),
      BackendKeyData(9, Buffer.from([1, 2, 3, 4])),
      ReadyForQuery('I'),
    ];
    assert.deepEqual(aServerLogin().receive(Buffer.concat(told)), {
      kind: 'ready',
      ready: { parameters: new Map([['a', 'b']]), processId: 9, secretKey: Buffer.from([1, 2, 3, 4]) },
    });
  });

  test('that is refused tells the server’s words', () => {
    const fields = { severity: 'FATAL', code: '3D000', message: 'database "x" does not exist' };
    assert.deepEqual(aServerLogin().receive(ErrorResponse(fields)), { kind: 'refused', fields });
  });

  test('with a key of an older password is not tried', () => {
    const { login, heard } = aLogin();
    const server = new ServerLogin({ credential, nonce: 'n', reply: (bytes) => login.receive(bytes) });
    login.receive(StartupMessage(APP));
    login.lookedUp(VERIFIER);
    server.receive(heard());
    const outcome = server.receive(heard());
    assert.equal(outcome.kind === 'refused' && outcome.fields.code, '28000');
  });

  test('does not believe a server that says yes without having proved itself', () => {
    const { login, heard } = aLogin();
    const server = new ServerLogin({ credential, nonce: 'n', reply: () => undefined });
    login.receive(StartupMessage(APP));
    login.lookedUp(VERIFIER);
    server.receive(heard());
    assert.equal(server.receive(AuthenticationOk()).kind, 'refused');
  });
});
