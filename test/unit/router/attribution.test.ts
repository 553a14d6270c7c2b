/**
 * Invariant: no sequence of events gives the client an answer that belongs to another request. Random units are
 * sent in random pieces, servers answer in random pieces, break, change roles; then each answer is looked at.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import fc from 'fast-check';
import type { Classifier } from '../../../src/sql/index.ts';
import { Bind, Execute, Parse, Query, Sync } from '../../../src/wire/index.ts';
import { aClassifier, SessionStage } from '../../support/router-session.ts';

let classifier: Classifier;
before(async () => {
  classifier = await aClassifier();
});

/** `shared`: a statement that was prepared once, at the beginning, and follows the session from node to node. */
type Form = 'simple' | 'unnamed' | 'named' | 'shared';
const SHARED = 'SELECT 7';
interface Work {
  readonly text: string;
  readonly form: Form;
}

/** The number at the end of a text is what its answer must show. */
function messages(work: Work): Buffer[] {
  if (work.form === 'simple') return [Query(work.text)];
  if (work.form === 'shared') return [Bind({ portal: '', statement: 'shared' }), Execute('', 0), Sync()];
  const name = work.form === 'named' ? `s${/\d+$/.exec(work.text)?.[0] ?? ''}` : '';
  const parse = Parse({ name, sql: work.text, parameterTypes: [] });
  return [parse, Bind({ portal: '', statement: name }), Execute('', 0), Sync()];
}

const aWork = (number: number): fc.Arbitrary<Work> =>
  fc.record({
    text: fc.constantFrom(
      `SELECT ${number}`,
      `INSERT INTO t VALUES (1) -- ${number}`,
      `BEGIN -- ${number}`,
      `BEGIN READ ONLY -- ${number}`,
      'COMMIT',
      'ROLLBACK',
      `SET search_path = 'a${number}'`,
      `SELECT fail, ${number}`,
      `SELECT refused_by_standby, ${number}`,
    ),
    form: fc.constantFrom<Form>('simple', 'unnamed', 'named', 'shared'),
  });

const someWork = fc
  .integer({ min: 1, max: 12 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => aWork(100 + index))));

/** What happens next: a number decides among what can. */
const someChances = fc.array(fc.nat({ max: 1000 }), { minLength: 20, maxLength: 150 });

test('an answer never goes to another request, whatever is cut, lost or elected', () => {
  let looked = 0;
  fc.assert(
    fc.property(someWork, someChances, (work, chances) => {
      const stage = new SessionStage(classifier).started();
      stage.world.readers = ['n1', 'n2', 'n3'];
      stage.send(Parse({ name: 'shared', sql: SHARED, parameterTypes: [] }), Sync()).take();
      let unsent: Buffer = Buffer.concat(work.flatMap(messages));
      for (const chance of chances) {
        unsent = happen(stage, unsent, chance);
        if (stage.isEnded) return;
      }
      // All calms down: n1 leads, everybody answers.
      stage.timelines = { n1: 9 };
      stage.changeWorld((world) => {
        world.term = { member: 'n1', newestTimeline: 1 };
        world.none = undefined;
      });
      for (const server of stage.servers.values()) if (server.name === 'n1') server.timeline = 9;
      stage.send(unsent);
      for (let wait = 0; wait < 40; wait += 1) stage.after(1100);
      if (stage.isEnded) return;
      check(work, stage.take());
      looked += work.length;
    }),
    { numRuns: 1500 },
  );
  assert.ok(looked > 1000, `looked at ${looked} answers only`);
});

function happen(stage: SessionStage, unsent: Buffer, chance: number): Buffer {
  const size = 1 + (chance % 23);
  const links = [...stage.servers.keys()];
  const link = links[chance % Math.max(1, links.length)];
  if (chance < 300) {
    if (unsent.length > 0) stage.session.receive(unsent.subarray(0, size), stage.now);
    return unsent.subarray(size);
  }
  if (chance < 450) stage.open();
  else if (chance < 900) {
    if (link !== undefined) stage.deliver(link, size);
  } else if (chance < 930) {
    if (link !== undefined) stage.break(link);
  } else if (chance < 960) {
    stage.world.none = chance % 2 === 0 ? 'no-leader' : undefined;
    stage.session.worldChanged(stage.now);
  } else if (chance < 975) {
    const member = chance % 2 === 0 ? 'n2' : 'n1';
    stage.timelines = { [member]: 1 };
    stage.world.term = { member, newestTimeline: 1 };
    stage.session.worldChanged(stage.now);
  } else {
    stage.now += 300;
    stage.session.tick(stage.now);
  }
  return unsent;
}

/** One answer a unit, in order, each about its own unit or an error. */
function check(work: readonly Work[], log: readonly string[]): void {
  const heard = log
    .filter((line) => line.startsWith('client > '))
    .map((line) => line.slice('client > '.length));
  const answers: string[][] = [[]];
  for (const line of heard) {
    if (line.startsWith('Ready')) answers.push([]);
    else answers.at(-1)?.push(line);
  }
  assert.deepEqual(answers.pop(), [], `something after the last ReadyForQuery: ${heard.join(' | ')}`);
  assert.equal(answers.length, work.length, heard.join(' | '));
  answers.forEach((answer, index) => {
    const one = work[index];
    if (one !== undefined) checkOne(one, answer, heard.join(' | '));
  });
}

/** Either the whole answer that the unit asks for, or a beginning of it and then one error. */
function checkOne(work: Work, answer: readonly string[], heard: string): void {
  const whole = wholeAnswer(work);
  const said = answer.filter((line) => line !== 'N');
  const isError = said.at(-1)?.startsWith('ERROR') === true;
  const told = isError ? said.slice(0, -1) : said;
  const wanted = isError ? whole.slice(0, told.length) : whole;
  // A transaction that has failed answers COMMIT with ROLLBACK.
  const normal = told.map((line) => (line === 'ROLLBACK' ? 'COMMIT' : line));
  assert.deepEqual(normal, wanted, `${JSON.stringify(work)} in: ${heard}`);
  assert.ok(said.length > 0, `nothing was answered to ${JSON.stringify(work)}`);
}

function wholeAnswer({ text, form }: Work): string[] {
  if (form === 'shared') return ['2', 'row 7', 'SELECT 1'];
  const begin = form === 'simple' ? [] : ['1', '2'];
  const number = /\d+$/.exec(text)?.[0] ?? '';
  if (text.startsWith('SELECT')) return [...begin, `row ${number}`, 'SELECT 1'];
  if (text.startsWith('INSERT')) return [...begin, `INSERT 0 ${number}`];
  return [...begin, text === 'ROLLBACK' ? 'COMMIT' : (text.split(' ')[0] ?? '')];
}
