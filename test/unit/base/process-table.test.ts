/** Processes as /proc shows them: nothing else may ever be taken for a server, and no server be missed. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, realpath, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  allPids,
  findProcess,
  isSameProcess,
  isServerProcess,
  postmasterOf,
  processFolder,
  processProgram,
  processText,
  serverProcesses,
} from '../../../src/base/index.ts';
import { eventually } from '../../support/eventually.ts';
import { scratchFolder } from '../../support/scratch.ts';

test('a process is known by its pid and its start', () => {
  const own = findProcess(process.pid);
  assert.ok(own !== undefined);
  assert.equal(own.parent, process.ppid);
  assert.ok(isSameProcess(own));
  assert.ok(!isSameProcess({ pid: own.pid, startTicks: '1' }), 'its pid was used again');
  assert.ok(allPids().includes(process.pid));
  assert.equal(processFolder(process.pid), process.cwd());
  assert.equal(processProgram(process.pid), 'node');
  assert.match(processText(process.pid, 'cmdline') ?? '', /^\S*node/);
});

test('a process that has ended is none, nor is its zombie', async () => {
  const child = spawn('true', { stdio: 'ignore' });
  await once(child, 'exit');
  assert.equal(findProcess(child.pid ?? 0), undefined);
  assert.equal(processFolder(child.pid ?? 0), undefined);
  assert.equal(processText(child.pid ?? 0, 'cmdline'), undefined);
});

test('a program that merely works in the directory is no server, whatever the lock file says', async (t) => {
  const dataDir = await realpath(await scratchFolder(t));
  await writeFile(join(dataDir, 'postmaster.pid'), `${process.pid}\n${dataDir}\n1\n`);
  assert.deepEqual(serverProcesses(dataDir), []);
  assert.deepEqual(serverProcesses(process.cwd()), []);
  assert.ok(!isServerProcess(process.pid, process.cwd()));
  assert.equal(postmasterOf([]), undefined);
});

test('servers are found without their lock file, and the postmaster is the one above the others', async (t) => {
  const { dataDir, postmaster } = await someServers(t);
  const servers = await eventually('all have started', () => serverProcesses(dataDir), {
    holds: ({ length }) => length === 3,
    withinMs: 5000,
  });
  assert.equal(postmasterOf(servers)?.pid, postmaster);
  process.kill(postmaster, 'SIGKILL');
  const orphans = await eventually('the postmaster has ended', () => serverProcesses(dataDir), {
    holds: ({ length }) => length === 2,
    withinMs: 5000,
  });
  assert.equal(postmasterOf(orphans), undefined);
  assert.equal(postmasterOf(orphans.slice(0, 1)), orphans[0]);
});

/** A program called postgres with two children of that name in a folder; all gone when the test ends. */
async function someServers(
  t: TestContext,
): Promise<{ readonly dataDir: string; readonly postmaster: number }> {
  const folder = await realpath(await scratchFolder(t));
  const dataDir = join(folder, 'data');
  const child = join(folder, 'child', 'postgres');
  const program = join(folder, 'postgres');
  for (const each of [dataDir, join(folder, 'child')]) await mkdir(each);
  await copyFile('/bin/sleep', child);
  await copyFile('/bin/bash', program);
  const started = spawn(program, ['-c', `${child} 60 & ${child} 60 & wait`], {
    cwd: dataDir,
    stdio: 'ignore',
    detached: true,
  });
  await once(started, 'spawn');
  // By its group: the folder is gone by then, and with it what they are found by.
  t.after(() => process.kill(-(started.pid ?? 0), 'SIGKILL'));
  return { dataDir, postmaster: started.pid ?? 0 };
}
