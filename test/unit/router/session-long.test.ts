/** Messages too long to be held: where their units go, what a loss makes of them, what an unnamed statement leaves. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { Pace } from '../../../src/router/pace.ts';
import type { Classifier } from '../../../src/sql/index.ts';
import { Bind, Execute, Parse, Query, Sync } from '../../../src/wire/index.ts';
import { aClassifier, again, extended, SessionStage } from '../../support/router-session.ts';

const KB = 1024;
const blanks = (bytes: number): string => ' '.repeat(bytes);
const short = (lines: string[]): string[] => lines.map((line) => line.replaceAll(/ {2,}/g, ' … '));

describe('a long message', () => {
  let classifier: Classifier;
  before(async () => {
    classifier = await aClassifier();
  });
  const begun = () => new SessionStage(classifier).started();
  const long = Query(`INSERT INTO t VALUES (${blanks(300 * KB)}1)`);

  test('that is held waits by its head, and arrives whole', () => {
    const stage = begun();
    stage.changeWorld((world) => {
      world.none = 'no-leader';
    });
    assert.deepEqual(stage.send(long, Query('SELECT 7')).take(), ['hold no-leader']);
    stage.changeWorld((world) => {
      world.none = undefined;
    });
    const heard = short(stage.take());
    assert.ok(heard.includes('n1 < INSERT INTO t VALUES ( … 1)'), heard.join('\n'));
    assert.equal(heard.at(-1), 'client > Ready I');
    assert.ok(heard.includes('client > row 7'));
  });

  test('whose server is lost in the middle has changed nothing, and the rest is read over', () => {
    const stage = begun().send(Query('INSERT INTO t VALUES (0)'));
    stage.take();
    stage.send(long.subarray(0, 100 * KB));
    assert.deepEqual(stage.lose('n1').take().slice(-2), ['client > ERROR 08006', 'client > Ready I']);
    const heard = stage.send(long.subarray(100 * KB), Query('SELECT 7')).take();
    assert.ok(heard.includes('client > row 7'));
    assert.ok(!heard.some((line) => line.includes('INSERT')), 'it is not run again');
  });

  test('whose server is lost when it has all of it is in doubt', () => {
    const stage = begun().send(Query('INSERT INTO t VALUES (0)'));
    stage.server('n1').isSilent = true;
    stage.send(long).take();
    assert.deepEqual(stage.lose('n1').take(), ['client > ERROR 08007', 'client > Ready I']);
  });

  test('in a transaction whose server is lost in the middle loses the transaction', () => {
    const stage = begun().send(Query('BEGIN'));
    stage.send(long.subarray(0, 100 * KB)).take();
    assert.equal(stage.lose('n1').take().at(-1), 'client > Ready E');
    assert.deepEqual(stage.send(long.subarray(100 * KB), Query('ROLLBACK')).take(), [
      'client > ROLLBACK',
      'client > Ready I',
    ]);
  });

  test('of a named statement is a Bind under its name at the server', () => {
    const stage = begun();
    stage.send(...extended('SELECT 7', 'mine')).take();
    const bind = Bind({ portal: '', statement: 'mine', parameters: [Buffer.alloc(300 * KB)] });
    const heard = stage.send(bind, Execute('', 0), Sync()).take();
    assert.ok(heard.includes('n1 < Execute SELECT 7'), heard.join('\n'));
    assert.ok(heard.includes('client > row 7'));
  });

  test('that prepares the unnamed statement keeps the client there until the next takes its place', () => {
    const stage = begun();
    const parse = Parse({ name: '', sql: `SELECT ${blanks(1100 * KB)}7`, parameterTypes: [] });
    stage.send(parse, Sync()).take();
    assert.deepEqual(stage.session.pin, { member: 'n1', because: ['unnamed-past-limit'] });
    assert.ok(
      stage
        .send(...again(''))
        .take()
        .includes('client > row 7'),
    );
    stage.server('n1').audited = '';
    stage.send(Query('SELECT 8'));
    assert.equal(stage.session.pin, undefined);
  });

  test('that prepares the unnamed statement outlives the proof that its server is still the primary', () => {
    const stage = begun();
    const parse = Parse({ name: '', sql: `SELECT ${blanks(1100 * KB)}7`, parameterTypes: [] });
    stage.send(parse, Sync()).take();
    stage.changeWorld((world) => {
      world.term = { member: 'n1', newestTimeline: 1 };
    });
    const heard = stage.send(...again('')).take();
    assert.ok(heard.includes('n1 < (probe)'), heard.join('\n'));
    assert.ok(heard.includes('client > row 7'), heard.join('\n'));
  });
});

test('a client is too slow if it sends less than 1 MB in the time, unless it is paused or between messages', () => {
  const state = { isInMessage: true, isPaused: false, limitMs: 1000 };
  const pace = new Pace();
  assert.equal(pace.isTooSlow(state, 0), false);
  assert.equal(pace.isTooSlow(state, 999), false);
  pace.arrived(1024 * KB);
  assert.equal(pace.isTooSlow(state, 1000), false);
  pace.arrived(1023 * KB);
  assert.equal(pace.isTooSlow({ ...state, isPaused: true }, 2000), false);
  assert.equal(pace.isTooSlow(state, 2500), false);
  assert.equal(pace.isTooSlow({ ...state, isInMessage: false }, 3500), false);
  assert.equal(pace.isTooSlow(state, 4000), false);
  pace.arrived(1023 * KB);
  assert.equal(pace.isTooSlow(state, 5000), true);
});
