/** SCRAM-SHA-256: the exchange of RFC 7677, the router's own use of it, and every way to tamper with it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  buildVerifier,
  mockVerifier,
  parseVerifier,
  renderVerifier,
  type ScramCredential,
  scramClientFinal,
  scramClientFirst,
  scramClientVerify,
  scramServerFinal,
  scramServerFirst,
  type Verifier,
} from '../../../src/wire/index.ts';

const SALT = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
const PENCIL = buildVerifier('pencil', SALT);
const NONCES = { client: 'rOprNGfwEbeRWgbNEkqO', server: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0' };

/** The four messages of an exchange, and what to do to them on their way. */
type Message = 'client-first' | 'server-first' | 'client-final' | 'server-final';
type Tamper = (message: Message, text: string) => string;

interface Options {
  readonly verifier?: Verifier;
  readonly credential?: ScramCredential;
  readonly user?: string;
  readonly tamper?: Tamper;
}

/** Runs both sides against each other; returns how it ended, and at whom, and what went over the line. */
function exchange(options: Options = {}): { ended: string; sent: string[]; clientKey: Buffer | undefined } {
  const { verifier = PENCIL, credential = { password: 'pencil' }, tamper = (_, text) => text } = options;
  const sent: string[] = [];
  const send = (message: Message, text: string): string => {
    sent.push(text);
    return tamper(message, text);
  };
  const end = (ended: string, clientKey?: Buffer): ReturnType<typeof exchange> => ({
    ended,
    sent,
    clientKey,
  });

  const first = scramClientFirst({ nonce: NONCES.client, user: options.user ?? '' });
  const challenge = scramServerFirst(send('client-first', first.clientFirst), {
    verifier,
    serverNonce: NONCES.server,
  });
  if (challenge.outcome === 'failed') return end(`server: ${challenge.because}`);
  const proof = scramClientFinal(first.start, send('server-first', challenge.serverFirst), credential);
  if (proof.outcome === 'failed') return end(`client: ${proof.because}`);
  const verdict = scramServerFinal(challenge.exchange, send('client-final', proof.clientFinal));
  if (verdict.outcome === 'failed') return end(`server: ${verdict.because}`);
  const checked = scramClientVerify(proof.serverSignature, send('server-final', verdict.serverFinal));
  if (checked.outcome === 'failed') return end(`client: ${checked.because}`);
  return end('ok', verdict.clientKey);
}

/** Changes one message only. */
const on =
  (target: Message, change: (text: string) => string): Tamper =>
  (message, text) =>
    message === target ? change(text) : text;

/** Changes the first character of an attribute's value. */
const changeFirstOf = (letter: string) => (text: string) =>
  text.replace(
    new RegExp(`(^|,)${letter}=.`),
    (found) => found.slice(0, -1) + (found.endsWith('A') ? 'B' : 'A'),
  );

test('the exchange of RFC 7677, word by word', () => {
  const { ended, sent } = exchange({ user: 'user' });
  assert.equal(ended, 'ok');
  assert.deepEqual(sent, [
    'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
    'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  ]);
});

test('the ClientKey of a good proof logs in where the same verifier is stored', () => {
  const { clientKey } = exchange();
  assert.ok(clientKey);
  assert.equal(exchange({ credential: { clientKey, verifier: PENCIL } }).ended, 'ok');
});

test('a ClientKey is not tried against another salt or another count of iterations', () => {
  const { clientKey } = exchange();
  assert.ok(clientKey);
  const credential = { clientKey, verifier: PENCIL };
  const changed = [buildVerifier('pencil', Buffer.from('another salt')), buildVerifier('pencil', SALT, 5000)];
  for (const verifier of changed) {
    assert.equal(exchange({ verifier, credential }).ended, 'client: verifier-changed');
  }
});

test('a ClientKey of another password is refused by the server', () => {
  const other = buildVerifier('another', SALT);
  const { clientKey } = exchange();
  assert.ok(clientKey);
  assert.equal(
    exchange({ verifier: other, credential: { clientKey, verifier: other } }).ended,
    'server: wrong-proof',
  );
});

test('a wrong password and an unknown user fail at the same message, for the same reason', () => {
  const wrong = exchange({ credential: { password: 'pencils' } });
  const unknown = exchange({ verifier: mockVerifier('nobody', Buffer.from('secret of this process')) });
  assert.equal(wrong.ended, 'server: wrong-proof');
  assert.equal(unknown.ended, 'server: wrong-proof');
  assert.deepEqual(
    unknown.sent.map((text) => text.length),
    wrong.sent.map((text) => text.length),
  );
});

test('an unknown user is shown the same salt each time, and another than other users', () => {
  const secret = Buffer.from('secret of this process');
  assert.deepEqual(mockVerifier('a', secret), mockVerifier('a', secret));
  const salts = [
    mockVerifier('a', secret),
    mockVerifier('b', secret),
    mockVerifier('a', Buffer.from('another secret')),
  ].map(({ salt }) => salt.toString('hex'));
  assert.equal(new Set(salts).size, 3);
  assert.ok(salts.every((salt) => salt.length === 32));
});

test('a mock verifier cannot be told from a real one by its form', () => {
  const mock = mockVerifier('nobody', Buffer.from('secret'));
  assert.deepEqual(parseVerifier(renderVerifier(mock)), mock);
});

const TAMPERED: readonly (readonly [string, Tamper, string])[] = [
  [
    'client asks for channel binding',
    on('client-first', (text) => `p=tls-server-end-point${text.slice(1)}`),
    'server: channel-binding-not-offered',
  ],
  [
    'client acts for another user',
    on('client-first', (text) => text.replace('n,,', 'n,a=admin,')),
    'server: authorization-identity',
  ],
  [
    'client demands an extension',
    on('client-first', (text) => text.replace('n,,', 'n,,m=x,')),
    'server: mandatory-extension',
  ],
  ['client-first without header', on('client-first', (text) => text.slice(3)), 'server: malformed'],
  [
    'client-first with an unknown flag',
    on('client-first', (text) => `z${text.slice(1)}`),
    'server: malformed',
  ],
  ['client-first without nonce', on('client-first', () => 'n,,n='), 'server: malformed'],
  ['client-first with an empty nonce', on('client-first', () => 'n,,n=,r='), 'server: malformed'],
  [
    'client-first with a nonce that does not print',
    on('client-first', () => 'n,,n=,r=a\u0007'),
    'server: malformed',
  ],
  ['client-first out of order', on('client-first', () => 'n,,r=abc,n='), 'server: malformed'],
  ['client-first of nothing', on('client-first', () => ''), 'server: malformed'],
  [
    'flag of the client turned from n to y',
    on('client-first', (text) => `y${text.slice(1)}`),
    'server: channel-binding-changed',
  ],
  [
    'name of the client changed',
    on('client-first', (text) => text.replace('n=', 'n=x')),
    'server: wrong-proof',
  ],
  ['client nonce changed', on('client-first', (text) => `${text}x`), 'server: wrong-proof'],
  [
    'server nonce not ours',
    on('server-first', (text) => text.replace('r=r', 'r=s')),
    'client: nonce-not-extended',
  ],
  [
    'server nonce adds nothing',
    on('server-first', (text) => text.replace(NONCES.server, '')),
    'client: nonce-not-extended',
  ],
  [
    'server nonce changed behind ours',
    on('server-first', (text) => text.replace('$k0', '$k1')),
    'server: nonce-changed',
  ],
  ['salt changed', on('server-first', (text) => text.replace('s=W', 's=X')), 'server: wrong-proof'],
  ['salt not base64', on('server-first', (text) => text.replace('s=W', 's=!')), 'client: malformed'],
  ['iterations changed', on('server-first', (text) => text.replace('4096', '4097')), 'server: wrong-proof'],
  [
    'iterations without end',
    on('server-first', (text) => text.replace('4096', '2147483647')),
    'client: too-many-iterations',
  ],
  ['no iterations', on('server-first', (text) => text.replace('i=4096', 'i=0')), 'client: malformed'],
  ['extension added by the server', on('server-first', (text) => `${text},x=1`), 'server: wrong-proof'],
  ['extension demanded by the server', on('server-first', (text) => `m=1,${text}`), 'client: malformed'],
  ['server-first of nothing', on('server-first', () => ''), 'client: malformed'],
  [
    'channel binding changed',
    on('client-final', (text) => text.replace('biws', 'eSws')),
    'server: channel-binding-changed',
  ],
  ['last nonce changed', on('client-final', (text) => text.replace('$k0', '$k1')), 'server: nonce-changed'],
  ['proof changed', on('client-final', changeFirstOf('p')), 'server: wrong-proof'],
  ['proof too short', on('client-final', (text) => text.replace(/p=.*/, 'p=AAAA')), 'server: malformed'],
  ['proof not base64', on('client-final', (text) => `${text}=`), 'server: malformed'],
  ['proof missing', on('client-final', (text) => text.replace(/,p=.*/, '')), 'server: malformed'],
  ['proof not last', on('client-final', (text) => `${text},x=1`), 'server: malformed'],
  [
    'extension added by the client',
    on('client-final', (text) => text.replace(',p=', ',x=1,p=')),
    'server: wrong-proof',
  ],
  ['signature changed', on('server-final', changeFirstOf('v')), 'client: wrong-server-signature'],
  ['signature too short', on('server-final', () => 'v=AAAA'), 'client: wrong-server-signature'],
  ['signature missing', on('server-final', () => ''), 'client: malformed'],
  ['error in place of the signature', on('server-final', () => 'e=invalid-proof'), 'client: server-refused'],
];

for (const [what, tamper, ended] of TAMPERED) {
  test(`${what}: ends with ${ended}`, () => {
    assert.equal(exchange({ tamper }).ended, ended);
  });
}

test('no change of one character of any message goes unnoticed', () => {
  const { clientKey } = exchange();
  assert.ok(clientKey);
  // With the key at hand, no run derives one from the password, and the changed salt is seen at once.
  const credential = { clientKey, verifier: PENCIL };
  const message = fc.constantFrom<Message>('client-first', 'server-first', 'client-final', 'server-final');
  const character = fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code));
  fc.assert(
    fc.property(message, fc.nat(), character, (target, place, replacement) => {
      const tamper = on(target, (text) => {
        const at = place % text.length;
        fc.pre(text[at] !== replacement);
        return text.slice(0, at) + replacement + text.slice(at + 1);
      });
      assert.notEqual(exchange({ credential, tamper }).ended, 'ok');
    }),
    { numRuns: 1000 },
  );
});

test('arbitrary text in place of any message ends the exchange', () => {
  const message = fc.constantFrom<Message>('client-first', 'server-first', 'client-final', 'server-final');
  fc.assert(
    fc.property(message, fc.string(), (target, text) => {
      assert.notEqual(exchange({ tamper: on(target, () => text) }).ended, 'ok');
    }),
  );
});

test('a name with commas and equals signs is escaped', () => {
  const { ended, sent } = exchange({ user: 'a=b,c' });
  assert.equal(ended, 'ok');
  assert.equal(sent[0], `n,,n=a=3Db=2Cc,r=${NONCES.client}`);
});

test('a client that could bind channels but saw no offer logs in', () => {
  const { verifier, serverNonce } = { verifier: PENCIL, serverNonce: NONCES.server };
  const begun = scramClientFirst({ nonce: NONCES.client });
  const start = { ...begun.start, header: 'y,,' };
  const challenge = scramServerFirst(`y,,${start.bare}`, { verifier, serverNonce });
  assert.ok(challenge.outcome === 'continue');
  const proof = scramClientFinal(start, challenge.serverFirst, { password: 'pencil' });
  assert.ok(proof.outcome === 'continue');
  assert.match(proof.clientFinal, /^c=eSws,/);
  assert.equal(scramServerFinal(challenge.exchange, proof.clientFinal).outcome, 'ok');
});

test('what is not a SCRAM verifier is not taken for one', () => {
  const good = renderVerifier(PENCIL);
  assert.deepEqual(parseVerifier(good), PENCIL);
  const bad = [
    '',
    'pencil',
    'md5a9993e364706816aba3e25717850c26c',
    good.replace('256', '512'),
    good.replace('4096', '0'),
    good.replace('4096', '-1'),
    good.replace('4096', 'many'),
    good.slice(0, -1),
    `${good}=`,
    `${good}:more`,
    good.replace(/\$[^$]*$/, '$AAAA:AAAA'),
    good.replace(/:W[^$]*/, ':'),
  ];
  for (const text of bad) assert.equal(parseVerifier(text), undefined, text);
});

test('a nonce that the protocol cannot carry is a bug of the caller', () => {
  assert.throws(() => scramClientFirst({ nonce: 'a,b' }), { name: 'AssertionError' });
  assert.throws(() => scramServerFirst('n,,n=,r=a', { verifier: PENCIL, serverNonce: '' }), {
    name: 'AssertionError',
  });
});

const binding = Buffer.from('hash of a certificate');
const first = (clientFirst: string, options: { binding?: Buffer; isPlus?: boolean }): string => {
  const answer = scramServerFirst(clientFirst, {
    verifier: PENCIL,
    serverNonce: NONCES.server,
    ...options,
  });
  return answer.outcome === 'failed' ? answer.because : answer.exchange.channelBinding;
};
const b64 = (text: string): string => Buffer.from(text).toString('base64');

describe('channel binding', () => {
  const table: [string, string, { binding?: Buffer; isPlus?: boolean }, string][] = [
    ['none, and none offered', 'n,,n=,r=x', {}, b64('n,,')],
    ['none, though offered', 'n,,n=,r=x', { binding }, b64('n,,')],
    ['believed not to be offered, rightly', 'y,,n=,r=x', {}, b64('y,,')],
    ['believed not to be offered, though it was', 'y,,n=,r=x', { binding }, 'channel-binding-downgraded'],
    [
      'with -PLUS',
      'p=tls-server-end-point,,n=,r=x',
      { binding, isPlus: true },
      b64(`p=tls-server-end-point,,hash of a certificate`),
    ],
    ['without -PLUS', 'p=tls-server-end-point,,n=,r=x', { binding }, 'channel-binding-not-offered'],
    ['of another kind', 'p=tls-unique,,n=,r=x', { binding, isPlus: true }, 'channel-binding-missing'],
    ['none, though -PLUS was chosen', 'n,,n=,r=x', { binding, isPlus: true }, 'channel-binding-missing'],
  ];
  for (const [what, clientFirst, options, expected] of table) {
    test(what, () => assert.equal(first(clientFirst, options), expected));
  }
});
