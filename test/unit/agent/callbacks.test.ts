/** What an operator's commands are told, and in which order they run. */
import { deepEqual, equal } from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Callbacks, callsFor, type Told } from '../../../src/agent/callbacks.ts';
import { look } from '../../../src/agent/look.ts';
import { anAgent, aStatus } from '../../support/an-agent.ts';
import { eventually } from '../../support/eventually.ts';
import { scratchFolder } from '../../support/scratch.ts';

const told = (pid: number | undefined, role?: Told['role']): Told => ({ pid, role });
const calls = (before: Told, now: Told, isRestarting = false): string =>
  callsFor(before, now, isRestarting)
    .map(({ action, role }) => `${action} ${role}`)
    .join(', ');

test('a start, a stop, a restart and a change of role are told by what was seen', () => {
  equal(calls(told(undefined), told(1, 'replica')), 'on_start replica');
  equal(calls(told(1, 'replica'), told(1, 'replica')), '');
  equal(calls(told(1, 'replica'), told(1, 'primary')), 'on_role_change primary');
  equal(calls(told(1, 'primary'), told(undefined, 'primary')), 'on_stop primary');
  equal(calls(told(undefined, 'primary'), told(undefined, 'primary')), '');
  equal(calls(told(undefined, 'primary'), told(2, 'primary')), 'on_start primary');
  equal(
    calls(told(undefined, 'primary'), told(2, 'replica')),
    'on_role_change replica',
    'as Patroni tells it',
  );
  equal(
    calls(told(1, 'primary'), told(undefined, 'primary'), true),
    '',
    'a restart is told once, at its end',
  );
  equal(calls(told(1, 'primary'), told(2, 'primary'), true), 'on_restart primary');
});

test('commands run one after the other with action, role and scope, and a failing one stops nothing', async (t) => {
  const folder = await scratchFolder(t);
  const script = join(folder, 'note');
  const file = join(folder, 'notes');
  await writeFile(
    script,
    `#!/bin/sh\n[ "$2" = on_role_change ] && sleep 0.2\necho "$@" >> ${file}\nexit 3\n`,
  );
  await chmod(script, 0o755);
  const { ctx, server } = await anAgent(t);
  const command = `${script} 'two words'`;
  ctx.postgresql = {
    ...ctx.postgresql,
    callbacks: {
      on_start: command,
      on_stop: '/nonexistent/command',
      on_restart: command,
      on_reload: command,
      on_role_change: command,
      primary_role: 'master',
    },
  };
  const callbacks = new Callbacks(ctx);
  const seen = async (): Promise<void> => {
    await look(ctx);
    callbacks.see();
  };
  server.postmaster = { kind: 'accepting', pid: 5 };
  server.status = aStatus({ inRecovery: true });
  await seen();
  server.status = aStatus();
  await seen();
  callbacks.reloaded();
  server.postmaster = { kind: 'stopped', stalePidFile: false };
  await seen();
  server.postmaster = { kind: 'accepting', pid: 6 };
  await seen();
  const notes = await eventually(
    'five lines',
    async () => (await readFile(file, 'utf8').catch(() => '')).split('\n'),
    {
      holds: (lines) => lines.length > 4,
      withinMs: 10_000,
    },
  );
  deepEqual(notes, [
    'two words on_start replica herd',
    'two words on_role_change master herd',
    'two words on_reload master herd',
    'two words on_start master herd',
    '',
  ]);
});
