/** The settings of sessions and of server connections, and what leads from one to the other. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  differenceOf,
  haveRoom,
  lostByReset,
  NO_SETTINGS,
  settingsAfter,
  startSettings,
} from '../../../src/router/settings.ts';

const set = (name: string, text = `SET ${name}`) => ({
  text,
  changes: [{ name, value: 'x' }],
  clears: 'nothing' as const,
});
const setTo = (name: string, value: string) => ({
  text: `SET ${name} TO '${value}'`,
  changes: [{ name, value }],
  clears: 'nothing' as const,
});
const reset = (name: string) => ({ text: `RESET ${name}`, changes: [{ name }], clears: 'nothing' as const });
const both = {
  text: 'SET both',
  changes: [set('a').changes, set('b').changes].flat(),
  clears: 'nothing' as const,
};

describe('settings', () => {
  type Step = Parameters<typeof settingsAfter>[1];
  const made = (steps: readonly Step[], start = NO_SETTINGS) =>
    steps.reduce((settings, step) => settingsAfter(settings, step, start), start);
  const RESET_ALL: Step = { text: 'RESET ALL', changes: [], clears: 'settings' };
  const DISCARD_ALL: Step = { text: 'DISCARD ALL', changes: [], clears: 'everything' };
  const differences: [string, readonly Step[], readonly Step[], readonly string[], boolean][] = [
    ['nothing to nothing is nothing', [], [], [], true],
    [
      'the newest of each setting counts',
      [],
      [set('jit', '1'), set('b', '2'), set('jit', '3')],
      ['2', '3'],
      false,
    ],
    ['what is there already is not said again', [set('a')], [set('a'), set('b')], ['SET b'], false],
    ['what another left is reset', [set('timezone')], [], ['RESET "timezone"'], true],
    ['names of libraries are quoted part by part', [set('my.Var')], [], ['RESET "my"."Var"'], false],
    ['another value replaces', [set('timezone', 'a')], [set('timezone', 'b')], ['b'], true],
    [
      'who one is is reset before all else',
      [set('work_mem'), set('role')],
      [],
      ['RESET "role"', 'RESET "work_mem"'],
      false,
    ],
    [
      'another authorization gives up the role',
      [],
      [set('role'), set('session_authorization')],
      ['SET session_authorization'],
      false,
    ],
    ['a reset of its own needs nothing', [], [set('a'), reset('a')], [], true],
    ['a part that is reset is said behind the whole', [], [both, reset('a')], ['SET both', 'RESET a'], false],
    ['RESET ALL keeps who one is', [], [set('role'), set('a'), RESET_ALL], ['SET role'], false],
    ['DISCARD ALL forgets everything', [], [set('role'), set('a'), DISCARD_ALL], [], true],
  ];
  for (const [fact, from, to, statements, isSure] of differences) {
    test(fact, () => assert.deepEqual(differenceOf(made(from), made(to)), { statements, isSure }));
  }

  test('bringing a connection from any state to any other leaves it with the settings of the other', () => {
    const names = ['a', 'b', 'role', 'session_authorization'];
    const step = fc.oneof(
      fc
        .tuple(fc.constantFrom(...names), fc.nat(3))
        .map(([name, value]) => set(name, `SET ${name} ${value}`)),
      fc.constantFrom(...names).map(reset),
      fc.constant(both),
      fc.constant(RESET_ALL),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), fc.array(step, { maxLength: 8 }), (from, to) => {
        const wanted = made(to);
        const said = differenceOf(made(from), wanted).statements;
        assert.deepEqual(
          valuesAfter([...from.map(({ text }) => text), ...said]),
          valuesAfter(to.map(({ text }) => text)),
        );
      }),
    );
  });

  test('a DateStyle that was set in parts, and over what another client has left, is the one that it came to', () => {
    const words = ['ISO', 'SQL', 'German', 'Postgres', 'DMY', 'European', 'US', 'ymd', 'DEFAULT'];
    const values = fc
      .subarray(words, { minLength: 1, maxLength: 2 })
      .filter(([one, other]) => other === undefined || isStyle(one) !== isStyle(other));
    const step = fc.oneof(
      values.map((each) => setTo('datestyle', each.join(', '))),
      fc.constant(reset('datestyle')),
      fc.constant(RESET_ALL),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 6 }), fc.array(step, { maxLength: 6 }), (from, to) => {
        const { statements, isSure } = differenceOf(made(from), made(to));
        assert.equal(dateStyleBy([...textsOf(from), ...statements]), dateStyleBy(textsOf(to)));
        assert.equal(isSure, true);
        assert.equal(made(to).entries.length <= 1, true);
      }),
    );
  });

  test('a reset goes back to what the client began with', () => {
    const start = startSettings("it's me");
    const text = "SET application_name TO E'it''s me'";
    assert.deepEqual(
      [
        [set('application_name', 'other')],
        [set('application_name', 'other'), reset('application_name')],
        [RESET_ALL],
      ].map((steps) => made(steps, start).entries.map((entry) => entry.text)),
      [['other'], [text], [text]],
    );
  });

  test('what a server does not go back to at a reset is said again', () => {
    const start = startSettings('me');
    const text = "SET application_name TO E'me'";
    const lost = (...steps: Step[]): readonly string[] => lostByReset(start, steps).map((each) => each.text);
    assert.deepEqual(
      [
        lost(reset('application_name')),
        lost(RESET_ALL),
        lost(set('application_name', 'x'), RESET_ALL),
        lost(RESET_ALL, set('application_name', 'x')),
        lost(reset('a'), set('b')),
      ],
      [[text], [text], [text], [], []],
    );
    assert.deepEqual(lostByReset(NO_SETTINGS, [RESET_ALL]), []);
  });

  test('there is room up to both limits', () => {
    const settings = made([set('a'), set('b')]);
    const room = (entriesMax: number, bytesMax: number) =>
      haveRoom(settings, [set('c')], { entriesMax, bytesMax });
    assert.deepEqual([room(3, 15), room(2, 15), room(3, 14)], [true, false, false]);
  });
});

const textsOf = (steps: readonly { readonly text: string }[]) => steps.map(({ text }) => text);

const isStyle = (word: string | undefined) => /^(ISO|SQL|German|Postgres)/.test(word ?? '');

/** PostgreSQL's check_datestyle, where the configuration says `SQL, YMD`. */
function dateStyleBy(statements: readonly string[]): string {
  let [style, order] = ['SQL', 'YMD'];
  for (const statement of statements) {
    const said = / TO E?'(.*)'$/.exec(statement)?.[1];
    if (said === undefined) [style, order] = ['SQL', 'YMD'];
    let [hasStyle, hasOrder] = [false, false];
    for (const word of said?.split(', ') ?? []) {
      if (word === 'DEFAULT') {
        if (!hasStyle) style = 'SQL';
        if (!hasOrder) order = 'YMD';
      } else if (isStyle(word)) {
        [style, hasStyle] = [word, true];
        if (word === 'German' && !hasOrder) order = 'DMY';
      } else {
        order = { European: 'DMY', US: 'MDY' }[word] ?? word.toUpperCase();
        hasOrder = true;
      }
    }
  }
  return `${style}, ${order}`;
}

/** What a server would have: a model of SET, RESET and RESET ALL. */
function valuesAfter(statements: readonly string[]): Readonly<Record<string, string>> {
  const values = new Map<string, string>();
  for (const statement of statements) {
    const [verb = '', name = '', value = 'x'] = statement.replaceAll('"', '').split(' ');
    const names = name === 'both' ? ['a', 'b'] : [name];
    if (statement === 'RESET ALL') {
      for (const known of values.keys()) if (!/^(role|session_auth)/.test(known)) values.delete(known);
    } else if (verb === 'RESET')
      values.delete(statement.includes('SESSION') ? 'session_authorization' : name);
    else for (const one of names) values.set(one, `${name} ${value}`);
    // A change of the authorization sets the role back.
    if (/session_auth/i.test(statement)) values.delete('role');
  }
  return Object.fromEntries([...values].sort(([a], [b]) => (a < b ? -1 : 1)));
}
