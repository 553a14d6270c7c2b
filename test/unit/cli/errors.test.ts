/** How an error is told: what happened, where, what to do; and the exit status that goes with it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionError, ERROR_TABLE, EXIT, MatriarchError } from '../../../src/base/index.ts';
import { renderError } from '../../../src/cli/print-error.ts';

test('an operating error is three lines, without a stack', () => {
  const cause = Object.assign(new Error('connect ECONNREFUSED 10.1.0.2:2379'), { code: 'ECONNREFUSED' });
  const error = new MatriarchError('dcs-unavailable', 'etcd does not answer at http://10.1.0.2:2379', {
    cause,
  });
  assert.deepEqual(renderError(error, 'matriarch status', false), {
    text: `error: etcd does not answer at http://10.1.0.2:2379
where: matriarch status (dcs-unavailable; connect ECONNREFUSED 10.1.0.2:2379 (ECONNREFUSED))
to do: Check that etcd runs, has a quorum, and that etcd.endpoints names its client URLs.
`,
    exit: EXIT.unavailable,
  });
});

test('with --debug the stack follows, with that of its cause', () => {
  const error = new MatriarchError('dcs-refused', 'no', { cause: new Error('inner') });
  const { text } = renderError(error, 'matriarch status', true);
  assert.match(text, /\n {4}at .*\ncaused by: Error: inner\n {4}at /s);
});

test('a password in a URL of the command line is not repeated', () => {
  const error = new MatriarchError('postgres-unreachable', 'cannot connect');
  const { text } = renderError(error, 'matriarch auth install --url postgres://dba:s:ecret@db1/app', false);
  assert.match(text, /where: matriarch auth install --url postgres:\/\/dba:…@db1\/app \(/);
});

test('a bug says that it is one, with its stack and status 70', () => {
  const { text, exit } = renderError(
    new AssertionError('a held client has a place'),
    'matriarch router',
    false,
  );
  assert.equal(exit, 70);
  assert.match(
    text,
    /^error: a held client has a place\nwhere: matriarch router; this is a bug in matriarch/,
  );
  assert.match(text, /\n {4}at /);
});

test('something thrown that is no error is still told', () => {
  assert.match(renderError('plain text', 'matriarch', false).text, /^error: plain text\n/);
});

test('every code has a hint that says what to do, and an exit status of the table', () => {
  const known: readonly number[] = Object.values(EXIT);
  for (const [code, { hint, exit }] of Object.entries(ERROR_TABLE)) {
    assert.match(hint, /^([A-Z]|etcd ).{15,}[^ ]$/, code);
    assert.ok(exit !== EXIT.ok && known.includes(exit), code);
  }
});
