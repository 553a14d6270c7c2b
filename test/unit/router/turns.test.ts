/** Who says very much at once is heard in turns, so that others are served in between; it is answered the same. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { Classifier } from '../../../src/sql/index.ts';
import { Bind, Execute, Parse, Query, Sync, Terminate } from '../../../src/wire/index.ts';
import { aClassifier, again, named, SessionStage } from '../../support/router-session.ts';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** What each of them has said or heard. */
const ofEach = (log: readonly string[]): unknown =>
  ['client', 'n1', 'n2'].map((who) => log.filter((line) => line.startsWith(who)));

/** One more turn, if one was asked for; then everybody answers. */
function turn(stage: SessionStage): boolean {
  if (stage.turnsDue === 0) return false;
  stage.turnsDue -= 1;
  stage.session.intake.nextTurn();
  stage.settle();
  return true;
}

describe('a client that says much at once', () => {
  let classifier: Classifier;
  before(async () => {
    classifier = await aClassifier();
  });
  const begun = (areTurnsShort: boolean): SessionStage => {
    const stage = new SessionStage(classifier).started();
    stage.areTurnsShort = areTurnsShort;
    return stage;
  };
  const parses = (count: number): Buffer[] =>
    numbers(count).map((number) =>
      Parse({ name: `s${number}`, sql: `SELECT ${number}`, parameterTypes: [] }),
    );

  const SAID: readonly (readonly [string, readonly Buffer[]])[] = [
    [
      'one batch',
      [...parses(100), Bind({ portal: '', statement: 's99' }), Execute('', 0), Sync(), Query('SELECT 7')],
    ],
    ['many queries', numbers(100).map((number) => Query(`SELECT ${number}`))],
    [
      'writes and transactions',
      numbers(30).flatMap((number) => [
        Query('BEGIN'),
        Query(`INSERT INTO t VALUES (${number})`),
        Query('COMMIT'),
      ]),
    ],
  ];
  for (const [name, messages] of SAID) {
    test(`is answered the same: ${name}`, () => {
      const whole = begun(false).send(...messages);
      const parted = begun(true).send(...messages);
      let turns = 1;
      while (turn(parted)) turns += 1;
      assert.deepEqual(parted.take(), whole.take());
      assert.equal(whole.turnsDue, 0);
      assert.equal(parted.session.links.length, 0);
      assert.ok(turns >= 6, `${turns} turns for ${messages.length} messages`);
    });
  }

  // The server answers what it has got while the rest is on its way: each of them hears the same.
  const SAID_TO_WHO_ANSWERS: typeof SAID = [
    [
      'one batch that fails',
      [
        ...parses(40),
        named('', 'unparsable'),
        ...parses(60),
        ...again('s1'),
        Sync(),
        ...again('s1'),
        Query('SELECT 7'),
      ],
    ],
    [
      'one batch that fails in front of a query in it',
      [...parses(20), named('', 'unparsable'), ...parses(60), Query('SELECT 6'), Sync(), Query('SELECT 7')],
    ],
    [
      'one batch that a standby refuses, and the primary does not',
      [
        named('r', 'SELECT v AS refused_by_standby FROM t'),
        ...numbers(40).flatMap(() => [Bind({ portal: '', statement: 'r' }), Execute('', 0)]),
        Sync(),
        Query('SELECT 7'),
      ],
    ],
    [
      'one batch in a transaction that no server knows of yet',
      [Query('BEGIN'), ...parses(60), ...again('s1'), Query('COMMIT')],
    ],
  ];
  for (const [name, messages] of SAID_TO_WHO_ANSWERS) {
    test(`is answered the same while its server answers: ${name}`, () => {
      const whole = begun(false).send(...messages);
      const parted = begun(true).send(...messages);
      while (turn(parted));
      assert.deepEqual(ofEach(parted.take()), ofEach(whole.take()));
      assert.equal(parted.session.links.length, 0);
    });
  }

  test('has no more than a few messages heard before the others are served', () => {
    const stage = begun(true).send(...parses(100), Sync());
    assert.deepEqual([stage.session.prepared.size, stage.turnsDue], [16, 1]);
    // What comes meanwhile has to wait behind it.
    stage.send(Query('SELECT 8'));
    assert.deepEqual([stage.session.prepared.size, stage.turnsDue, stage.take()], [16, 1, []]);
    turn(stage);
    assert.deepEqual([stage.session.prepared.size, stage.turnsDue], [32, 1]);
  });

  test('has no more than a few messages sent before the others are served', () => {
    const stage = begun(true).send(...parses(100), Sync(), Query('SELECT 7'));
    const sent: number[] = [];
    const take = (): string[] => stage.take().filter((line) => line.startsWith('n'));
    do sent.push(take().length);
    while (turn(stage));
    assert.equal(
      sent.reduce((sum, count) => sum + count),
      101,
    );
    assert.ok(Math.max(...sent) <= 17, sent.join(' '));
  });

  test('is not sent on to a server that is no primary any more when its turn comes again', () => {
    const stage = begun(true).send(
      named('w', 'INSERT INTO t VALUES (1)'),
      ...numbers(60).flatMap(() => [Bind({ portal: '', statement: 'w' }), Execute('', 0)]),
      Sync(),
    );
    while (!stage.log.some((line) => line.startsWith('n1 <'))) turn(stage);
    stage.take();
    stage.world.none = 'primary-not-proven';
    while (turn(stage));
    assert.deepEqual(
      stage.take().filter((line) => line.startsWith('n1 <')),
      [],
    );
    assert.equal(stage.session.links.length, 0);
  });

  test('and leaves is gone, whatever it has said behind its goodbye', () => {
    const stage = begun(true).send(...parses(40), Terminate(), Query('INSERT INTO t VALUES (1)'));
    while (turn(stage));
    assert.deepEqual(stage.take(), ['client ended']);
    assert.equal(stage.session.links.length, 0);
  });
});
