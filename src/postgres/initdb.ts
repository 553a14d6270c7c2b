/** Makes a new cluster in an empty directory, or nothing at all. */
import { execFile } from 'node:child_process';
import { rmdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { describe, MatriarchError } from '../base/index.ts';
import { dataDirState, makeEmpty, mark, removeContent, unmark } from './data-dir.ts';
import { removeFile, writeWhole } from './files.ts';
import { isNodeError } from './node-error.ts';
import type { Place } from './place.ts';
import { ENVIRONMENT, run } from './run.ts';
import type { InitdbOptions } from './types.ts';

const DEADLINE_MS = 5 * 60_000;

export async function runInitdb(place: Place, options: InitdbOptions): Promise<void> {
  const before = await dataDirState(place);
  await makeEmpty(place);
  try {
    await mark(place, 'initdb');
    await fill(place, options);
    await writeWhole(place.unclaimedFile, '', { owner: place.owner });
    await unmark(place);
  } catch (cause) {
    await removeContent(place);
    if (before.kind === 'absent') await rmdir(place.dataDir);
    const message = `no cluster was made in ${place.dataDir}: ${describe(cause)}`;
    throw new MatriarchError('postgres-initdb-failed', message, { cause });
  }
}

async function fill(place: Place, options: InitdbOptions): Promise<void> {
  const { superuser } = place.settings.authentication;
  const passwordFile = `${place.dataDir}.pwfile`;
  try {
    await writeWhole(passwordFile, `${superuser.password}\n`, { owner: place.owner });
    const account = ['--username', superuser.username, '--pwfile', passwordFile];
    const access = ['--auth-local=scram-sha-256', '--auth-host=scram-sha-256'];
    const content = options.content?.map((option) => `--${option}`) ?? (await usualContent());
    const args = ['-D', place.dataDir, '--no-instructions', ...account, ...access, ...content];
    const result = await run(place, 'initdb', args, {
      deadlineMs: options.deadlineMs ?? DEADLINE_MS,
      signal: options.signal,
      onSpawn: (pid) => mark(place, 'initdb', pid),
    });
    if (!result.ok) throw new Error(result.because);
  } finally {
    await removeFile(passwordFile);
    await removeFile(`${passwordFile}.new`);
  }
}

async function usualContent(): Promise<readonly string[]> {
  return ['--data-checksums', '--encoding=UTF8', `--locale=${await findLocale()}`];
}

/** Byte order with Unicode's character classes where the system has it: the same on every host, whatever its libc. */
async function findLocale(): Promise<'C.UTF-8' | 'C'> {
  try {
    const { stdout } = await promisify(execFile)('locale', ['-a'], { timeout: 10_000, env: ENVIRONMENT });
    return /^C\.utf-?8$/im.test(stdout) ? 'C.UTF-8' : 'C';
  } catch (cause) {
    // No such program (musl): plain C is always there.
    if (isNodeError(cause)) return 'C';
    throw cause;
  }
}
