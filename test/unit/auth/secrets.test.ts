/** What is stored of passwords, the file of users, and the delays after failures. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  FailureDelays,
  failureKey,
  isMd5Answer,
  isPassword,
  md5Answer,
  md5Secret,
  parseSecret,
  parseUserFile,
} from '../../../src/auth/index.ts';
import { buildVerifier, renderVerifier } from '../../../src/wire/index.ts';

const VERIFIER = buildVerifier('secret', Buffer.from('sixteen bytes ok'));

test('md5 is PostgreSQL’s: of password and name, and then of that and the salt', () => {
  // By md5sum.
  const salt = Buffer.from([1, 2, 3, 4]);
  const hash = md5Secret('secret', 'app');
  assert.equal(hash, '6a422f785c9e20873908ce25d1736ae2');
  assert.equal(md5Answer(hash, salt), 'md5911f527656472583a006e7727877b33e');
  assert.equal(isMd5Answer(md5Answer(hash, salt), hash, salt), true);
  assert.equal(isMd5Answer(md5Answer(hash, Buffer.from([1, 2, 3, 5])), hash, salt), false);
  assert.equal(isMd5Answer(`md5${hash}`, hash, salt), false);
});

describe('a password', () => {
  const stored = [renderVerifier(VERIFIER), `md5${md5Secret('secret', 'app')}`, 'secret'];
  for (const text of stored) {
    const secret = parseSecret(text);
    assert(secret !== undefined);
    test(`fits what is stored as ${secret.kind}, and no other does`, () => {
      assert.equal(isPassword('secret', secret, 'app'), true);
      for (const wrong of ['', 'Secret', 'secret ', text === 'secret' ? 'x' : text])
        assert.equal(isPassword(wrong, secret, 'app'), false, wrong);
    });
  }
  test('is not computed for a verifier that would take for hours', () => {
    const secret = { kind: 'scram', verifier: { ...VERIFIER, iterations: 4_000_000_000 } } as const;
    assert.equal(isPassword('secret', secret, 'app'), false);
  });
  test('that is empty is none', () => assert.equal(parseSecret(''), undefined));
});

describe('a file of users', () => {
  test('has quotes doubled, comments, and what follows a secret ignored', () => {
    const { file, problems } = parseUserFile(
      '; no\n"a""b" "c""d"\n\n"app"  "x" "more"\r\n"empty" ""\n# no\n',
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(
      [...file.users],
      [
        ['a"b', { kind: 'plain', password: 'c"d' }],
        ['app', { kind: 'plain', password: 'x' }],
        ['empty', undefined],
      ],
    );
  });
  test('is refused by line, without a word of what may be a password', () => {
    const { problems } = parseUserFile('"app" "x"\n"app" hunter2\n"" "x"\n');
    assert.deepEqual(
      problems.map(({ line }) => line),
      [2, 3],
    );
    assert.doesNotMatch(JSON.stringify(problems), /hunter2/);
  });
  test('tells how most prove themselves', () => {
    const hash = `md5${md5Secret('a', 'b')}`;
    assert.equal(parseUserFile(`"a" "${hash}"\n"b" "${hash}"\n"c" "x"\n`).file.usualKind, 'md5');
    assert.equal(parseUserFile(`"a" "${hash}"\n"c" "x"\n`).file.usualKind, 'scram');
  });
});

describe('after failures', () => {
  const options = { firstMs: 100, maxMs: 1000, forgetMs: 60_000, entriesMax: 3 };
  const delaysAfter = (failures: number): FailureDelays => {
    const delays = new FailureDelays(options);
    for (let count = 0; count < failures; count += 1) delays.failed('a', 'u', 0);
    return delays;
  };
  test('the delay doubles up to its bound', () => {
    const seen = [0, 1, 2, 3, 4, 5, 40].map((failures) => delaysAfter(failures).delayMs('a', 'u', 1));
    assert.deepEqual(seen, [0, 100, 200, 400, 800, 1000, 1000]);
  });
  test('nobody else waits', () => {
    const delays = delaysAfter(9);
    assert.deepEqual([delays.delayMs('b', 'u', 1), delays.delayMs('a', 'v', 1)], [0, 0]);
  });
  test('a success or a while without ends it', () => {
    const delays = delaysAfter(9);
    assert.equal(delays.delayMs('a', 'u', 60_001), 0);
    delays.succeeded('a', 'u');
    assert.equal(delays.delayMs('a', 'u', 1), 0);
  });
  test('strangers cannot make the table grow, nor empty it of who fails on', () => {
    const delays = delaysAfter(5);
    for (let stranger = 0; stranger < 100; stranger += 1) {
      delays.failed(`s${stranger}`, 'u', 1);
      delays.failed('a', 'u', 1);
    }
    assert.equal(delays.size, 3);
    assert.equal(delays.delayMs('a', 'u', 2), 1000);
  });
  test('the network of an IPv6 address counts as one', () => {
    assert.equal(failureKey('2001:db8::1'), failureKey('2001:db8::2:3'));
    assert.notEqual(failureKey('2001:db8::1'), failureKey('2001:db8:0:1::1'));
    assert.notEqual(failureKey('10.0.0.1'), failureKey('10.0.0.2'));
    assert.equal(failureKey('::ffff:10.0.0.1'), failureKey('10.0.0.1'));
  });
});
