/**
 * Timelines that are taken elsewhere. PostgreSQL numbers the timeline that a promotion begins by the history files that it
 * finds in its own pg_wal, one more than the newest. Two standbys promoted apart would so begin two timelines of one
 * number, and whoever followed the first would take the second's WAL for the continuation of its own. A history file that
 * is only a comment marks a number as taken: PostgreSQL passes over it, and never follows it, for it is no child of anything.
 *
 * Such marks are put right before a promotion. Where none came of it they go before the next start, which would
 * otherwise look for the newest timeline, find a mark and give up.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfThere, removeFile, writeWhole } from './files.ts';
import { isNodeError } from './node-error.ts';
import type { Place } from './place.ts';

const MARK = '# Taken by another member of the cluster; nothing is known of it here.\n';

/** Has the next promotion begin timeline `timeline`, or a later one where that is known here already. */
export async function takeTimelinesBelow(place: Place, timeline: number): Promise<void> {
  for (let number = ((await numbersIn(place)).at(-1) ?? 1) + 1; number < timeline; number += 1)
    await writeWhole(pathOf(place, number), MARK, { owner: place.owner });
}

/** Removes the marks above the newest timeline that has a history here. */
export async function forgetTakenTimelines(place: Place): Promise<void> {
  for (const number of (await numbersIn(place)).reverse()) {
    const path = pathOf(place, number);
    if ((await readIfThere(path)) !== MARK) return;
    await removeFile(path);
  }
}

/** The timelines with a history file, oldest first. */
async function numbersIn({ dataDir }: Place): Promise<number[]> {
  return (await walFiles(dataDir))
    .flatMap((name) => /^([0-9A-F]{8})\.history$/.exec(name)?.[1] ?? [])
    .map((digits) => Number.parseInt(digits, 16))
    .sort((a, b) => a - b);
}

/** None where the folder is not there: what is wrong with such a directory, PostgreSQL says better. */
async function walFiles(dataDir: string): Promise<readonly string[]> {
  try {
    return await readdir(join(dataDir, 'pg_wal'));
  } catch (cause) {
    if (isNodeError(cause) && cause.code === 'ENOENT') return [];
    throw cause;
  }
}

function pathOf({ dataDir }: Place, timeline: number): string {
  return join(dataDir, 'pg_wal', `${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`);
}
