/** Copies another member with pg_basebackup; what did not become whole is removed, and what was there before comes back. */
import { rmdir } from 'node:fs/promises';
import { background, describe, formatAddress, type Log, MatriarchError } from '../base/index.ts';
import { dropAside, hasRoom, putBack, setAside } from './aside.ts';
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
/** Of the source, while it is copied; no figure says how much that will be. */
const WAL_BYTES = 1024 ** 3;

/** Where a copy is made: the place, and who is told of what becomes of the directory before it. */
interface Site {
  readonly place: Place;
  readonly log: Log;
}

export async function cloneFrom(site: Site, from: Upstream, options: CloneOptions): Promise<void> {
  const { place } = site;
  const kept = options.replaces === true ? await Replaced.setAside(site) : undefined;
  const before = await dataDirState(place);
  await makeEmpty(place);
  try {
    await writePassFile(place);
    for (const server of slotServers(from, options))
      if (options.slot !== undefined) await ensureUpstreamSlot(place.settings, server, options.slot, SLOT_MS);
    await mark(place, 'basebackup');
    await copy(place, from, {
      ...options,
      onProgress: (progress) => {
        kept?.makeRoom(progress);
        options.onProgress?.(progress);
      },
    });
    // Before the marker goes: a copy without this file would start as a second primary.
    await writeSignals(place, 'standby');
    await unmark(place);
  } catch (cause) {
    await removeContent(place);
    if (before.kind === 'absent') await rmdir(place.dataDir);
    await kept?.putBack();
    const message = `${formatAddress(from)} was not cloned into ${place.dataDir}: ${describe(cause)}`;
    throw new MatriarchError('postgres-clone-failed', message, { cause });
  }
  await dropAside(place);
}

function slotServers(from: Upstream, { follows }: CloneOptions): readonly Upstream[] {
  return follows === undefined || (follows.host === from.host && follows.port === from.port)
    ? [from]
    : [from, follows];
}

/**
 * The directory that the copy takes the place of. It is kept until the copy is whole, where the disk has room for both; else
 * until the copy has begun to arrive. A crash in between leaves it where it is, beside the data directory, until the next
 * copy is whole; nothing starts it.
 */
class Replaced {
  readonly #site: Site;
  #removing: Promise<void> | undefined;

  private constructor(site: Site) {
    this.#site = site;
  }

  /** Undefined where it cannot be kept (half rewound, or a mount point, which cannot be renamed): then it is removed. */
  static async setAside(site: Site): Promise<Replaced | undefined> {
    const { place, log } = site;
    const aside = await setAside(place);
    if (aside === undefined) {
      log.warn('data-directory-removed', { because: 'it cannot be set aside' });
      await removeContent(place);
      return undefined;
    }
    log.info('data-directory-set-aside', { path: aside });
    return new Replaced(site);
  }

  /** The first figure of the copy: it arrives, and its size is known. */
  makeRoom({ doneKb, totalKb }: CloneProgress): void {
    if (this.#removing !== undefined || doneKb === 0) return;
    const { log } = this.#site;
    this.#removing = this.#removeUnlessRoomy((totalKb - doneKb) * 1024 + WAL_BYTES);
    background(log, 'room for the copy', this.#removing);
  }

  async #removeUnlessRoomy(bytes: number): Promise<void> {
    const { place, log } = this.#site;
    if (await hasRoom(place, bytes)) return;
    log.warn('replaced-data-removed', { because: 'there is no room for both', bytes });
    await dropAside(place);
  }

  async putBack(): Promise<void> {
    const { place, log } = this.#site;
    await this.#removing?.catch(() => undefined);
    if (await putBack(place)) log.info('data-directory-put-back', {});
  }
}

async function copy(place: Place, from: Upstream, options: CloneOptions): Promise<void> {
  const source = renderConnInfo({
    host: from.host,
    port: from.port,
    user: place.settings.authentication.replication.username,
    passfile: place.passFile,
    // Not the member's name: by its slot it confirms WAL as a standby does, and what it makes may never become one.
    application_name: `matriarch copying ${place.name}`,
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
