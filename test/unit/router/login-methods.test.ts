/** Encryption, host rules, and every way to prove who one is: clients at the router, the router at servers. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { md5Answer, md5Secret, parseHba, parseIdent } from '../../../src/auth/index.ts';
import { askedFor, demandOf } from '../../../src/router/gate.ts';
import { type Question } from '../../../src/router/login.ts';
import { type ServerCredential, ServerLogin } from '../../../src/router/server-login.ts';
import {
  AuthenticationCleartextPassword,
  AuthenticationMD5Password,
  AuthenticationOk,
  AuthenticationSASL,
  BACKEND,
  CancelRequest,
  GSSENCRequest,
  PasswordMessage,
  readPasswordMessage,
  SCRAM_SHA_256,
  type ScramBinding,
  SSLRequest,
  StartupMessage,
} from '../../../src/wire/index.ts';

import { aLogin, APP, asked, errorIn, exchange, IDENTIFIED, OTHER, VERIFIER } from '../../support/login.ts';

const SALT = Buffer.from([1, 2, 3, 4]);
const HASH = md5Secret('secret', 'app');

/** Our own client against our own server, each with its idea of the certificate; `offer` may be changed on the way. */
function bound(clients: ScramBinding, servers: Buffer | undefined, offer = (bytes: Buffer) => bytes) {
  const { login, heard } = aLogin('offered');
  const toRouter: Buffer[] = [];
  const client = new ServerLogin({
    credential: { password: 'secret' },
    user: 'app',
    binding: clients,
    isEncrypted: true,
    nonce: 'client-nonce',
    reply: (bytes) => toRouter.push(bytes),
  });
  login.secured(servers);
  let step = login.receive(StartupMessage(APP));
  login.ask(asked(VERIFIER));
  let bytes = offer(heard());
  for (let round = 0; round < 3 && step.kind !== 'authenticated' && step.kind !== 'refused'; round += 1) {
    client.receive(bytes);
    for (const answer of toRouter.splice(0)) step = login.receive(answer);
    bytes = heard();
  }
  return step;
}
const onlyPlain = (): Buffer => AuthenticationSASL([SCRAM_SHA_256]);

describe('a client and encryption', () => {
  const END_POINT = Buffer.alloc(32, 7);

  test('is told yes, and goes on encrypted with a start-up packet of its own', () => {
    const { login, heard } = aLogin('offered');
    assert.deepEqual(login.receive(SSLRequest()), {
      kind: 'secure',
      isDirect: false,
      hello: Buffer.alloc(0),
    });
    assert.equal(heard().toString(), 'S');
    login.secured(undefined);
    assert.deepEqual(login.receive(StartupMessage(APP)), IDENTIFIED);
  });

  test('may begin with the handshake', () => {
    const hello = Buffer.from([0x16, 3, 1, 2, 0]);
    assert.deepEqual(aLogin('offered').login.receive(hello), { kind: 'secure', isDirect: true, hello });
    assert.throws(() => aLogin('none').login.receive(hello));
  });

  const refused: [string, 'none' | 'offered' | 'required', Buffer[], string][] = [
    [
      'that sends bytes behind its request, in the clear',
      'offered',
      [Buffer.concat([SSLRequest(), StartupMessage(APP)])],
      '08P01',
    ],
    ['that does not encrypt where it must', 'required', [StartupMessage(APP)], '28000'],
    [
      'that declines GSSAPI and does not encrypt',
      'required',
      [GSSENCRequest(), StartupMessage(APP)],
      '28000',
    ],
    ['that asks twice', 'none', [SSLRequest(), SSLRequest()], '0A000'],
  ];
  for (const [who, tls, packets, code] of refused) {
    test(`one ${who} is refused with ${code}`, () => {
      const { login, heard } = aLogin(tls);
      const steps = packets.map((packet) => login.receive(packet).kind);
      assert.equal(steps.at(-1), 'refused');
      const said = heard();
      assert.equal(errorIn(said.subarray(said.indexOf(BACKEND.ErrorResponse))), code);
    });
  }

  test('one that asks again inside of TLS is refused', () => {
    const { login } = aLogin('offered');
    login.receive(SSLRequest());
    login.secured(undefined);
    assert.equal(login.receive(SSLRequest()).kind, 'refused');
  });

  test('a request to cancel is taken unencrypted too: old libpq sends no other', () => {
    assert.equal(aLogin('required').login.receive(CancelRequest(1, Buffer.alloc(4))).kind, 'cancel');
  });

  test('a proof bound to the certificate is taken, and its ClientKey opens servers bound to another or to none', () => {
    const step = bound({ endPoint: END_POINT }, END_POINT);
    assert(step.kind === 'authenticated');
    const { credential } = step.login;
    assert(typeof credential === 'object' && 'clientKey' in credential);
    assert.equal(exchange(credential, VERIFIER).kind, 'authenticated');
  });
  test('a proof bound to another certificate is refused: somebody is between', () => {
    assert.equal(bound({ endPoint: Buffer.alloc(32, 8) }, END_POINT).kind, 'refused');
  });
  test('an offer that was shortened on the way is noticed', () => {
    assert.deepEqual(bound({ endPoint: END_POINT }, END_POINT, onlyPlain), {
      kind: 'refused',
      code: '28000',
      isProof: false,
    });
  });
  test('without a binding of the certificate nothing is bound', () => {
    assert.equal(bound({ endPoint: END_POINT }, undefined).kind, 'authenticated');
    assert.equal(bound('none', END_POINT).kind, 'authenticated');
  });
});

const start = () => {
  const made = aLogin();
  made.login.receive(StartupMessage(APP));
  return made;
};
const byMd5 = (isMock = false): Question => ({ kind: 'md5', hash: HASH, salt: SALT, isMock });
const byPassword = (isMock = false): Question => ({
  kind: 'password',
  secret: { kind: 'scram', verifier: VERIFIER },
  isMock,
});

test('for md5 proves itself with it, and the router with what is stored', () => {
  const { login } = start();
  login.ask(byMd5());
  const step = login.receive(PasswordMessage(md5Answer(HASH, SALT)));
  assert.deepEqual(step.kind === 'authenticated' && step.login.credential, { md5Hash: HASH });
});
test('for its password is known by it, and the router logs in with it', () => {
  const { login } = start();
  login.ask(byPassword());
  const step = login.receive(PasswordMessage('secret'));
  assert.deepEqual(step.kind === 'authenticated' && step.login.credential, { password: 'secret' });
});

describe('a client that is asked otherwise', () => {
  const wrong: [string, Question, string][] = [
    ['a wrong md5', byMd5(), md5Answer(HASH, Buffer.from([1, 2, 3, 5]))],
    ['the stored md5 itself', byMd5(), `md5${HASH}`],
    ['a right md5 of nobody', byMd5(true), md5Answer(HASH, SALT)],
    ['a wrong password', byPassword(), 'Secret'],
    ['a right password of nobody', byPassword(true), 'secret'],
  ];
  for (const [what, question, answer] of wrong) {
    test(`${what} is refused as any other`, () => {
      const { login, heard } = start();
      login.ask(question);
      heard();
      assert.deepEqual(login.receive(PasswordMessage(answer)), {
        kind: 'refused',
        code: '28P01',
        isProof: true,
      });
      assert.equal(errorIn(heard()), '28P01');
    });
  }
  test('for nothing comes in with what is known of it', () => {
    const { login, heard } = start();
    const step = login.admit('none');
    assert.deepEqual(step.kind === 'authenticated' && step.login.credential, 'none');
    assert.deepEqual(heard(), AuthenticationOk());
  });
  test('speaks the newest version that both know', () => {
    const minors = [0, 1, 2, 7].map((minor) => {
      const { login } = aLogin();
      login.receive(StartupMessage(APP, minor));
      const step = login.admit('none');
      return step.kind === 'authenticated' ? step.login.minor : undefined;
    });
    assert.deepEqual(minors, [0, 1, 2, 2]);
  });
});

const access = (rules: string, idents = '') => ({
  rules: parseHba(rules).rules,
  idents: parseIdent(idents).rules,
});

describe('a host rule', () => {
  const shown = { address: '10.0.0.1', isTls: true, database: 'd', user: 'app', isReplication: false };
  const table: [string, ReturnType<typeof access>, readonly string[] | undefined, string][] = [
    ['that asks for SCRAM does', access('host all all all scram-sha-256'), undefined, 'scram-sha-256'],
    ['that trusts lets in', access('host all all all trust'), undefined, 'admit'],
    ['that rejects refuses', access('host all all all reject'), undefined, '28000'],
    ['that is missing refuses', access('host x all all trust'), undefined, '28000'],
    ['for certificates lets in by name', access('hostssl all all all cert'), ['app'], 'admit'],
    ['for certificates refuses another name', access('hostssl all all all cert'), ['other'], '28000'],
    ['for certificates refuses none', access('hostssl all all all cert'), undefined, '28000'],
    [
      'with a map lets in whom it names',
      access('hostssl all all all cert map=m', 'm other app'),
      ['other'],
      'admit',
    ],
    [
      'with a certificate beside asks on',
      access('hostssl all all all md5 clientcert=verify-ca'),
      ['other'],
      'md5',
    ],
    [
      'with one of the name refuses another',
      access('hostssl all all all md5 clientcert=verify-full'),
      ['other'],
      '28000',
    ],
    [
      'with a certificate beside refuses none',
      access('hostssl all all all md5 clientcert=verify-ca'),
      undefined,
      '28000',
    ],
  ];
  for (const [fact, tables, names, outcome] of table) {
    test(fact, () => {
      const demand = demandOf(tables, { ...shown, names });
      assert.equal(
        demand.kind === 'refuse' ? demand.fields.code : demand.kind === 'prove' ? demand.method : demand.kind,
        outcome,
      );
    });
  }
  test('asks for md5 only where that is what is stored', () => {
    const scram = { kind: 'scram', verifier: VERIFIER } as const;
    const md5 = { kind: 'md5', hash: '' } as const;
    const plain = { kind: 'plain', password: 'x' } as const;
    assert.deepEqual(
      [scram, md5, plain, undefined].map((secret) => askedFor('md5', secret, 'scram')),
      ['scram', 'md5', 'scram', 'scram'],
    );
    assert.equal(askedFor('md5', undefined, 'md5'), 'md5');
    assert.equal(askedFor('scram-sha-256', md5, 'md5'), 'scram');
    assert.equal(askedFor('password', scram, 'scram'), 'password');
  });
});

/** What the router answers when a server asks for `question`; or its words when it refuses. */
function answers(question: Buffer, given: ServerCredential, isEncrypted = false): string {
  let said = Buffer.alloc(0);
  const login = new ServerLogin({
    credential: given,
    user: 'app',
    binding: 'none',
    isEncrypted,
    nonce: 'n',
    reply: (bytes) => (said = Buffer.concat([said, bytes])),
  });
  const outcome = login.receive(question);
  return outcome.kind === 'refused' ? `refused: ${outcome.fields.message}` : readPasswordMessage(said);
}

describe('a server', () => {
  const noPassword = 'refused: the router knows no password of role "app" that the server accepts';
  const credential = { clientKey: Buffer.alloc(32), verifier: OTHER };
  const table: [string, string, string][] = [
    [
      'md5, with what is stored',
      answers(AuthenticationMD5Password(SALT), { md5Hash: HASH }),
      md5Answer(HASH, SALT),
    ],
    [
      'md5, with the password',
      answers(AuthenticationMD5Password(SALT), { password: 'secret' }),
      md5Answer(HASH, SALT),
    ],
    [
      'md5, with a ClientKey',
      answers(AuthenticationMD5Password(SALT), credential),
      'refused: the server asks for md5, the router knows a SCRAM verifier only',
    ],
    ['md5, with nothing', answers(AuthenticationMD5Password(SALT), 'none'), noPassword],
    ['SCRAM, with nothing', answers(AuthenticationSASL([SCRAM_SHA_256]), 'none'), noPassword],
    ['SCRAM, with md5', answers(AuthenticationSASL([SCRAM_SHA_256]), { md5Hash: HASH }), noPassword],
    [
      'the password, over TLS',
      answers(AuthenticationCleartextPassword(), { password: 'secret' }, true),
      'secret',
    ],
    [
      'the password, where others can read it',
      answers(AuthenticationCleartextPassword(), { password: 'secret' }),
      'refused: the server asks for a password in the clear, without TLS',
    ],
  ];
  for (const [asks, said, expected] of table) {
    test(`that asks for ${asks}`, () => assert.equal(said, expected));
  }
});
