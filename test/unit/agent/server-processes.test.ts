/** The fence must never take another program for the PostgreSQL that it guards. */
import { deepEqual, equal } from 'node:assert/strict';
import { realpath, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { postmasterPid, serverPids } from '../../../src/agent/server-processes.ts';
import { scratchFolder } from '../../support/scratch.ts';

test('a pid that another program has now is no postmaster, whatever the file says', async (t) => {
  const dataDir = await realpath(await scratchFolder(t));
  equal(postmasterPid(dataDir), undefined);
  for (const content of [
    '',
    'garbage',
    `${process.pid}\n${dataDir}\n${Math.floor(Date.now() / 1000)}\n`,
    '1\n/\n0\n',
    '999999999\n',
  ]) {
    await writeFile(join(dataDir, 'postmaster.pid'), content);
    equal(postmasterPid(dataDir), undefined);
  }
  deepEqual(serverPids(dataDir), []);
});

test('a program that merely works in the directory is no server', () => {
  deepEqual(serverPids(process.cwd()), []);
});
