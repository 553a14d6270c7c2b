/** The two login machines, before each other and before strangers. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ServerLogin } from '../../../src/router/server-login.ts';
import {
  AuthenticationOk,
  BACKEND,
  BackendKeyData,
  CancelRequest,
  ErrorResponse,
  GSSENCRequest,
  ParameterStatus,
  PasswordMessage,
  Query,
  ReadyForQuery,
  SSLRequest,
  StartupMessage,
} from '../../../src/wire/index.ts';

import {
  AS_APP,
  aLogin,
  APP,
  asked,
  errorIn,
  exchange,
  IDENTIFIED,
  OTHER,
  VERIFIER,
} from '../../support/login.ts';

describe('a client that logs in', () => {
  test('with the right password shows the key that opens servers with the same verifier', () => {
    const step = exchange({ password: 'secret' }, VERIFIER);
    assert.equal(step.kind, 'authenticated');
    if (step.kind !== 'authenticated') return;
    const { user, database, credential } = step.login;
    assert.deepEqual({ user, database }, { user: 'app', database: 'app' });
    assert(typeof credential === 'object' && 'clientKey' in credential);
    assert.equal(exchange(credential, VERIFIER).kind, 'authenticated');
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
      isProof: true,
    });
  });

  test('is declined encryption, also where it asks for both', () => {
    const { login, heard } = aLogin();
    const steps = [SSLRequest(), GSSENCRequest(), StartupMessage(APP)].map((packet) => login.receive(packet));
    assert.deepEqual({ step: steps.at(-1), heard: heard().toString() }, { step: IDENTIFIED, heard: 'NN' });
  });

  for (const [what, request] of [
    ['SSL', SSLRequest()],
    ['GSSAPI encryption', GSSENCRequest()],
  ] as const) {
    for (const behind of [StartupMessage(APP), Buffer.from([0])]) {
      test(`is declined, and refused with 08P01, if ${behind.length} bytes follow its request for ${what} unasked`, () => {
        const { login, heard } = aLogin();
        assert.equal(login.receive(Buffer.concat([request, behind])).kind, 'refused');
        const said = heard();
        assert.deepEqual([said.toString('latin1', 0, 1), errorIn(said.subarray(1))], ['N', '08P01']);
        assert.ok(said.includes(`received unencrypted data after ${what} request`));
      });
    }
  }

  test('that asks for encryption again is refused, as by PostgreSQL, with the versions that are spoken', () => {
    const { login, heard } = aLogin();
    for (const request of [GSSENCRequest(), GSSENCRequest()]) login.receive(request);
    assert.match(
      heard().toString(),
      /0A000.*unsupported frontend protocol 1234\.5680: server supports 3\.0 to 3\.2/,
    );
  });

  test('may send its first packet byte by byte', () => {
    const { login } = aLogin();
    const steps = [...StartupMessage(APP)].map((byte) => login.receive(Buffer.from([byte])).kind);
    assert.deepEqual([steps.at(-2), steps.at(-1)], ['wait', 'identified']);
  });

  test('with a newer minor version is told which is spoken', () => {
    const { login, heard } = aLogin();
    login.receive(StartupMessage([...APP, ['_pq_.what', '1']], 9));
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
        ...AS_APP,
        nonce: 'client-nonce',
        reply: (bytes) => toRouter.push(bytes),
      });
      login.receive(StartupMessage(APP));
      login.ask(asked(VERIFIER));
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
    ['in protocol 4', Buffer.from([0, 0, 0, 9, 0, 4, 0, 0, 0]), '0A000'],
  ];
  for (const [what, packet, code] of refused) {
    test(`${what} is refused with ${code}`, () => {
      const { login, heard } = aLogin();
      assert.equal(login.receive(packet).kind, 'refused');
      assert.equal(errorIn(heard()), code);
    });
  }

  test('in protocol 2 is refused in the words and the form of that', () => {
    const { login, heard } = aLogin();
    const step = login.receive(Buffer.from([0, 0, 0, 9, 0, 2, 0, 0, 0]));
    assert.deepEqual(step, { kind: 'refused', code: '0A000', isProof: false });
    const text = 'EFATAL:  unsupported frontend protocol 2.0: server supports 3.0 to 3.2\n\0';
    assert.equal(heard().toString(), text);
  });

  test('with anything but SASL is refused', () => {
    const { login, heard } = aLogin();
    login.receive(StartupMessage(APP));
    login.ask(asked(VERIFIER));
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
  const aServerLogin = () => new ServerLogin({ credential, ...AS_APP, nonce: 'n', reply: () => undefined });

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
    const server = new ServerLogin({
      credential,
      ...AS_APP,
      nonce: 'n',
      reply: (bytes) => login.receive(bytes),
    });
    login.receive(StartupMessage(APP));
    login.ask(asked(VERIFIER));
    server.receive(heard());
    const outcome = server.receive(heard());
    assert.equal(outcome.kind === 'refused' && outcome.fields.code, '28000');
  });

  test('does not believe a server that says yes without having proved itself', () => {
    const { login, heard } = aLogin();
    const server = new ServerLogin({ credential, ...AS_APP, nonce: 'n', reply: () => undefined });
    login.receive(StartupMessage(APP));
    login.ask(asked(VERIFIER));
    server.receive(heard());
    assert.equal(server.receive(AuthenticationOk()).kind, 'refused');
  });
});
