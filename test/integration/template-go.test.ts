/**
 * Random templates give what Go gives, where Go is installed. Most are nonsense somewhere, and then the complaint must
 * be the same.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import fc from 'fast-check';
import { scratchFolder } from '../support/scratch.ts';
import { ROOT } from '../support/sources.ts';
import { SOME_DATA, SOME_STORE, someTemplate } from '../support/template-arbitraries.ts';
import { expectedOf, renderedOf, type Vector } from '../support/template-vectors.ts';

const RUNS = 2000;
const hasGo = spawnSync('go', ['version']).status === 0;

test('random templates give what Go gives', { skip: !hasGo && 'go is not installed' }, async (t) => {
  const program = join(await scratchFolder(t), 'recorder');
  const built = spawnSync('go', ['build', '-o', program, '.'], {
    cwd: join(ROOT, 'test/golden/template/recorder'),
    encoding: 'utf8',
  });
  assert.equal(built.status, 0, built.stderr);
  const recorder = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(async () => {
    recorder.stdin.end();
    if (recorder.exitCode === null) await once(recorder, 'exit');
  });
  const ask = asking(recorder);
  let failing = 0;
  await fc.assert(
    fc.asyncProperty(someTemplate, async (template) => {
      const vector = await ask({ template, data: SOME_DATA, store: SOME_STORE });
      // Go 1.19 cannot do it, its successors and ours can.
      fc.pre(!/range can't iterate over -?\d+$/.test(vector.error ?? ''));
      if (vector.error !== undefined) failing += 1;
      assert.equal(renderedOf(vector), expectedOf(vector));
    }),
    { numRuns: RUNS },
  );
  t.diagnostic(`${failing} of ${RUNS} templates are refused`);
  assert.ok(failing < RUNS * 0.9, 'most of the templates are refused; they prove little');
});

/** One question, one answer, in order. */
function asking({ stdin, stdout }: ChildProcess): (vector: Vector) => Promise<Vector> {
  assert.ok(stdin !== null && stdout !== null);
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  return async (vector) => {
    stdin.write(`${JSON.stringify(vector)}\n`);
    const { value } = await lines.next();
    const answer: Vector = JSON.parse(String(value));
    return answer;
  };
}
