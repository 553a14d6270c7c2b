/** Texts made to break the classifier: it answers each, and answers the next ones rightly. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { loadGrammar } from '../../../src/sql/grammar.ts';
import { type Classifier, loadClassifier } from '../../../src/sql/index.ts';

/** Both are deep enough to overflow the stack inside the grammar; the second holds no operator. */
const DEEP_SUM = `SELECT ${'1+'.repeat(9_999)}1`;
const DEEP_CAST = `SELECT 1${'::a'.repeat(20_000)}`;

describe('a hostile text', () => {
  let classifier: Classifier;
  before(async () => {
    classifier = await loadClassifier();
  });

  it('of 10,000 terms, 50 times, leaves the classifier as it was', () => {
    for (let time = 0; time < 50; time++) {
      assert.equal(classifier.classify(`${DEEP_SUM} -- ${time}`).because, 'too-long');
    }
    assert.equal(classifier.classify('SELECT 1 AS sane').because, 'only-reads');
    assert.equal(classifier.stats().grammarsLost, 0);
  });

  it('of thousands of nested parentheses is answered', () => {
    assert.equal(
      classifier.classify(`SELECT ${'('.repeat(10_000)}1${')'.repeat(10_000)}`).because,
      'too-long',
    );
    assert.equal(
      classifier.classify(`SELECT ${'('.repeat(8_000)}1${')'.repeat(8_000)}`).because,
      'too-dense',
    );
    assert.equal(
      classifier.classify(`SELECT ${'('.repeat(2_400)}1${')'.repeat(2_400)}`).because,
      'only-reads',
    );
  });

  it('of 1 MB is not looked at', () => {
    assert.equal(classifier.classify(`SELECT '${'x'.repeat(1024 * 1024)}'`).because, 'too-long');
  });

  it('is measured in bytes, not characters', () => {
    assert.equal(classifier.classify(`SELECT '${'漢'.repeat(5_400)}'`).because, 'only-reads');
    assert.equal(classifier.classify(`SELECT '${'漢'.repeat(5_500)}'`).because, 'too-long');
  });
});

describe('a text of the greatest length, of however many tokens,', () => {
  let classifier: Classifier;
  before(async () => {
    classifier = await loadClassifier({ tokensMax: 16 * 1024 });
  });

  const longest: readonly (readonly [what: string, repeated: string, prefix: string, suffix: string])[] = [
    ['a sum', '1+', 'SELECT ', '1'],
    ['casts', '::a', 'SELECT 1', ''],
    ['tests for null', ' isnull', 'SELECT 1', ''],
    ['subscripts', '[1]', 'SELECT a', ''],
    ['unions', ' union table a', 'table a', ''],
    ['joins', ' cross join a', 'SELECT FROM a', ''],
    ['negations', 'not ', 'SELECT ', 'true'],
    ['minus signs', '- ', 'SELECT ', '1'],
    ['conjunctions', ' and a', 'SELECT a', ''],
    ['function calls', 'f(', 'SELECT ', ')'],
    ['sub-selects', '(select ', 'SELECT ', ')'],
    ['collations', ' collate c', 'SELECT a', ''],
    ['time zones', ' at local', 'SELECT a', ''],
    ['statements', 'table a;', '', ''],
    ['settings', 'set a=1;', '', ''],
    ['empty statements', ';', '', ''],
    ['dots', '.a', 'SELECT a', ''],
    ['nested comments', '/*', '', ''],
    ['one operator', '+-', 'SELECT ', '1'],
    ['comparisons', '= any ', 'SELECT a ', ''],
    ['dollar quotes', '$a$', 'SELECT ', ''],
    ['quotes', "''", 'SELECT ', ''],
  ];
  for (const [what, repeated, prefix, suffix] of longest) {
    it(`and made of nothing but ${what}, does not break the grammar`, () => {
      const room = 16 * 1024 - prefix.length;
      const times = Math.floor(room / (repeated.length + (suffix === ')' ? 1 : 0))) - 1;
      const end = suffix === ')' ? `1${suffix.repeat(times)}` : suffix;
      const answer = classifier.classify(prefix + repeated.repeat(times) + end);
      assert.notEqual(answer.because, 'too-long');
      assert.equal(classifier.stats().grammarsLost, 0);
      assert.equal(classifier.classify(`SELECT 1 -- after ${what}`).because, 'only-reads');
    });
  }
});

describe('a grammar that breaks', () => {
  it('is replaced at once by its spare, and that by a new one', async () => {
    const grammar = await loadGrammar();
    assert.equal(grammar.parse(DEEP_SUM).outcome, 'refused');
    assert.equal(grammar.parse('SELECT 1').outcome, 'parsed');
    assert.equal(grammar.parse(DEEP_SUM).outcome, 'refused');
    assert.equal(grammar.parse('SELECT 1').outcome, 'unready');
    await grammar.refill();
    assert.equal(grammar.parse('SELECT 1').outcome, 'parsed');
    assert.equal(grammar.lost, 2);
  });

  it('ten times over still leaves one that parses', async () => {
    const grammar = await loadGrammar();
    for (let time = 0; time < 10; time++) {
      assert.equal(grammar.parse(DEEP_SUM).outcome, 'refused');
      await grammar.refill();
    }
    assert.equal(grammar.parse('SELECT 1').outcome, 'parsed');
    assert.equal(grammar.lost, 10);
  });

  it('makes writes of what arrives before the next is ready, and remembers none of them', async () => {
    const classifier = await loadClassifier({ textBytesMax: 64 * 1024, tokensMax: 64 * 1024 });
    assert.equal(classifier.classify(DEEP_CAST).because, 'not-parsed');
    assert.equal(classifier.classify(`${DEEP_CAST} `).because, 'not-parsed');
    assert.equal(classifier.classify('SELECT 1').because, 'grammar-not-ready');
    const answer = await untilReady(() => classifier.classify('SELECT 1'));
    assert.equal(answer.because, 'only-reads');
    assert.equal(classifier.stats().grammarsLost, 2);
  });
});

describe('any text at all', () => {
  let classifier: Classifier;
  before(async () => {
    classifier = await loadClassifier({ cacheEntriesMax: 100 });
  });
  after(() => assert.equal(classifier.stats().grammarsLost, 0));

  it('has an answer', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (sql) => isAnswered(classifier, sql)),
      { numRuns: 500 },
    );
  });

  it('made of words of SQL has an answer', () => {
    const text = fc.array(fc.constantFrom(...WORDS), { maxLength: 40 }).map((words) => words.join(' '));
    fc.assert(
      fc.property(text, (sql) => isAnswered(classifier, sql)),
      { numRuns: 3_000 },
    );
  });

  it('with a write put before or after it is never a read', () => {
    const text = fc.array(fc.constantFrom(...WORDS), { maxLength: 12 }).map((words) => words.join(' '));
    fc.assert(
      fc.property(text, (sql) => {
        const kinds = [`DELETE FROM t; ${sql}`, `${sql}\n; DELETE FROM t`].map((both) =>
          classifier.classify(both),
        );
        return kinds.every(({ kind }) => kind === 'write' || kind === 'session');
      }),
      { numRuns: 500 },
    );
  });
});

function isAnswered(classifier: Classifier, sql: string): boolean {
  const first = classifier.classify(sql);
  assert.deepEqual(classifier.classify(sql), first);
  return Object.isFrozen(first);
}

/** Gives the event loop its turns until the answer is no longer a refusal for want of a grammar. */
async function untilReady<T extends { readonly because: string }>(ask: () => T): Promise<T> {
  for (let turn = 0; turn < 1_000; turn++) {
    const answer = ask();
    if (answer.because !== 'grammar-not-ready') return answer;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('the grammar did not come back within 1,000 turns of the event loop');
}

const WORDS = (
  'SELECT FROM WHERE t a b c 1 $1 , ( ) * = + ; AS WITH INSERT INTO VALUES UPDATE SET DELETE BEGIN COMMIT ROLLBACK TO ' +
  'FOR SHARE LOCK TABLE CREATE TEMP VIEW EXPLAIN ANALYZE COPY STDOUT STDIN PREPARE EXECUTE DISCARD ALL RESET SHOW LOCAL ' +
  'TRANSACTION READ ONLY \'x\' "y" -- /* */ $$ . :: [ ] NOT NULL lower( nextval( set_config( ORDER BY UNION JOIN ON\n'
).split(/ /);
