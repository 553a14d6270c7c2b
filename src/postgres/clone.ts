/** Copies another member with pg_basebackup; what did not become whole is removed. */
import { rmdir } from 'node:fs/promises';
import { describe, formatAddress, MatriarchError } from '../base/index.ts';
import { renderConnInfo } from './conf.ts';
import { writePassFile, writeSignals } from './config-files.ts';
import { dataDirState, makeEmpty, mark, removeContent, unmark } from './data-dir.ts';
import type { Place } from './place.ts';
import { run } from './run.ts';
import type { CloneOptions, CloneProgress, Upstream } from './types.ts';
import { ensureUpstreamSlot } from './upstream.ts';

const DEADLINE_MS = 24 * 60 * 60_000;
const STALL_MS = 5 * 60_000;
const SLOT_MS = 10_000;

export async function cloneFrom(place: Place, from: Upstream, options: CloneOptions): Promise<void> {
  const before = await dataDirState(place);
  await makeEmpty(place);
  try {
    await writePassFile(place);
    if (options.slot !== undefined) await ensureUpstreamSlot(place.settings, from, options.slot, SLOT_MS);
    await mark(place, 'basebackup');
    await copy(place, from, options);
    // Before the marker goes: a copy without this file would start as a second primary.
    await writeSignals(place, 'standby');
    await unmark(place);
  } catch (cause) {
    await removeContent(place);
    if (before.kind === 'absent') await rmdir(place.dataDir);
    const message = `${formatAddress(from)} was not cloned into ${place.dataDir}: ${describe(cause)}`;
    throw new MatriarchError('postgres-clone-failed', message, { cause });
  }
}

async function copy(place: Place, from: Upstream, options: CloneOptions): Promise<void> {
  const source = renderConnInfo({
    host: from.host,
    port: from.port,
    user: place.settings.authentication.replication.username,
    passfile: place.passFile,
    application_name: place.name,
    sslmode: 'prefer',
    connect_timeout: 10,
  });
  const slot = options.slot === undefined ? [] : ['--slot', options.slot];
  const args = [
    '-D',
    place.dataDir,
    '-X',
    'stream',
    '--checkpoint=fast',
    '--progress',
    '--no-password',
    ...slot,
  ];
  const result = await run(place, 'pg_basebackup', [...args, '--dbname', source], {
    deadlineMs: options.deadlineMs ?? DEADLINE_MS,
    stallMs: options.stallMs ?? STALL_MS,
    signal: options.signal,
    onSpawn: (pid) => mark(place, 'basebackup', pid),
    onStderr: (text) => {
      const progress = parseProgress(text);
      if (progress !== undefined) options.onProgress?.(progress);
    },
  });
  if (!result.ok) throw new Error(result.because);
}

/** The last figure in a piece of pg_basebackup's report, such as `23102/31284 kB (73%), 0/1 tablespace`. [pure] */
export function parseProgress(text: string): CloneProgress | undefined {
  const found = [...text.matchAll(/(\d+)\/(\d+) kB/g)].at(-1);
  if (found?.[1] === undefined || found[2] === undefined) return undefined;
  return { doneKb: Number(found[1]), totalKb: Number(found[2]) };
}
