/** The commands of resources: what is told of those that fail, and what becomes of what they leave. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../src/template/shell/run-command.ts';
import { eventually } from '../support/eventually.ts';
import { scratchFolder } from '../support/scratch.ts';

test('a command says why it failed, and its output is bounded', async () => {
  assert.deepEqual(await runCommand('true', 1_000), { outcome: 'succeeded' });
  assert.deepEqual(await runCommand('echo out; echo err >&2; exit 3', 1_000), {
    outcome: 'failed',
    message: 'exit status 3: out\nerr',
  });
  assert.deepEqual(await runCommand('kill -KILL $$', 1_000), {
    outcome: 'failed',
    message: 'ended by SIGKILL',
  });
  assert.deepEqual(await runCommand('sleep 60', 50), {
    outcome: 'failed',
    message: 'took longer than 50 ms',
  });
  assert.deepEqual(await runCommand("printf '\\303'; sleep 0.2; printf '\\244'; exit 1", 5_000), {
    outcome: 'failed',
    message: 'exit status 1: ä',
  });
  const loud = await runCommand('yes | head -c 1000000; exit 1', 10_000);
  assert.ok(loud.outcome === 'failed' && loud.message.length < 5_000);
});

test('what a command leaves in the background goes on, and is not waited for', async (t) => {
  const told = join(await scratchFolder(t), 'told');
  const left = `(for i in 1 2 3; do sleep 0.3; echo $i; done; echo done > ${told}) &`;
  assert.deepEqual(await runCommand(left, 10_000), { outcome: 'succeeded' });
  await eventually('the end of what was left', async () => await readFile(told, 'utf8').catch(() => ''), {
    holds: (text) => text === 'done\n',
    withinMs: 10_000,
  });
});

test('a command that cannot be started has failed', async () => {
  const late = await runCommand('true \0', 1_000);
  assert.ok(late.outcome === 'failed');
  const script = `
    const { runCommand } = await import(process.argv[1]);
    const { openSync } = await import('node:fs');
    try { for (;;) openSync('/dev/null'); } catch {}
    console.log(JSON.stringify(await runCommand('true', 1000)));`;
  const module = new URL('../../src/template/shell/run-command.js', import.meta.url).href;
  const line = 'ulimit -n 64; exec "$0" --input-type=module -e "$1" "$2"';
  const told = execFileSync('/bin/sh', ['-c', line, process.execPath, script, module], { encoding: 'utf8' });
  assert.match(told, /"outcome":"failed","message":".*EMFILE/);
});
