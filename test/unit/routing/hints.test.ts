/** Wishes about the place of a statement, as text. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readHint, readStaleness, RefusedReads, type Rule, ruleFor } from '../../../src/routing/index.ts';

describe('a hint', () => {
  for (const [text, wishes, unread] of [
    ['primary', { route: { kind: 'primary' } }, []],
    ['Replica', { route: { kind: 'replica' } }, []],
    ['standby', { route: { kind: 'replica' } }, []],
    ['local', { route: { kind: 'local' } }, []],
    ['any', { route: { kind: 'any' } }, []],
    ['node=db-2', { route: { kind: 'node', name: 'db-2' } }, []],
    ['consistency=Strong', { consistency: 'strong' }, []],
    ['max_staleness=500ms', { maxStaleness: readStaleness('500ms') }, []],
    ['replica, max_staleness=16MB', { route: { kind: 'replica' }, maxStaleness: readStaleness('16MB') }, []],
    ['', {}, []],
    ['node=', {}, ['node=']],
    ['primary=1', {}, ['primary=1']],
    ['consistency=perfect', {}, ['consistency=perfect']],
    ['max_staleness=soon', {}, ['max_staleness=soon']],
    ['replica please', { route: { kind: 'replica' } }, ['please']],
  ] as const) {
    test(`"${text}" is read`, () => {
      assert.deepEqual(readHint(text), { wishes, unread: [...unread] });
    });
  }
});

describe('a rule', () => {
  const subject = {
    user: 'report_7',
    database: 'archive',
    applicationName: 'psql',
    digest: () => 'SELECT ?',
  };
  const number = (...rules: Rule[]) => ruleFor(rules, subject)?.number;
  for (const [what, rule, isFit] of [
    ['by a role', { user: ['app', 'report_7'] }, true],
    ['by another role', { user: ['report'] }, false],
    ['by a pattern', { user: ['rep*_*'] }, true],
    ['by a pattern that ends otherwise', { user: ['*_8'] }, false],
    ['by a pattern that would use a letter twice', { user: ['report_7*7'] }, false],
    ['by the database', { database: ['archive'] }, true],
    ['by the application', { application_name: ['ps*'] }, true],
    ['by the digest', { digest: 'SELECT ?' }, true],
    ['by another digest', { digest: 'SELECT' }, false],
    ['by the beginning of the digest', { digest_prefix: 'SELECT' }, true],
    ['by all at once', { user: ['*'], database: ['archive'], digest: 'SELECT ?' }, true],
    ['by all but one', { user: ['*'], database: ['other'], digest: 'SELECT ?' }, false],
  ] as const) {
    test(`${what} ${isFit ? 'fits' : 'does not fit'}`, () => {
      assert.equal(number({ ...rule, route: 'replica' }), isFit ? 1 : undefined);
    });
  }

  test('is the first that fits, whole', () => {
    const rules = [{ user: ['x'], route: 'any' }, { route: 'node=a' }, { consistency: 'strong' }];
    assert.deepEqual(ruleFor(rules, subject), {
      number: 2,
      wishes: { route: { kind: 'node', name: 'a' } },
    });
  });

  test('by a digest does not fit what has none', () => {
    assert.equal(
      ruleFor([{ digest_prefix: 'S', route: 'any' }], { ...subject, digest: () => undefined }),
      undefined,
    );
  });
});

describe('a read that standbys refuse', () => {
  const known = {};
  const at = { now: 0, epoch: 1 };

  test('is known in its database, until definitions change or ten minutes have passed', () => {
    const refused = new RefusedReads();
    refused.add('a', known, at);
    assert.deepEqual(
      [
        refused.has('a', known, at),
        refused.has('b', known, at),
        refused.has('a', {}, at),
        refused.has('a', known, { now: 599_999, epoch: 1 }),
        refused.has('a', known, { now: 0, epoch: 2 }),
        refused.size,
      ],
      [true, false, false, true, false, 0],
    );
    refused.add('a', known, at);
    assert.equal(refused.has('a', known, { now: 600_000, epoch: 1 }), false);
  });

  test('is one of a thousand at most', () => {
    const refused = new RefusedReads();
    for (let index = 0; index < 5000; index += 1) refused.add('a', {}, at);
    assert.ok(refused.size <= 1000);
  });
});
