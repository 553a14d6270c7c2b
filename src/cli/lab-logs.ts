/** `matriarch lab logs HOST`: the ends of the host's log files, and their growth with --follow. */
import { open, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MatriarchError, pause } from '../base/index.ts';
import type { Host, LabPaths } from '../lab/index.ts';
import type { Shell } from './shell.ts';

export interface LogsRequest {
  readonly host: Host;
  readonly paths: LabPaths;
  readonly lines: number;
  readonly follow: boolean;
}

const TAIL_BYTES = 256 * 1024;
const FOLLOW_MS = 250;

/** Prints the last lines of each log, under its path; then, if asked, what is appended until the signal. */
export async function showLogs(shell: Shell, { host, paths, lines, follow }: LogsRequest): Promise<void> {
  const files = await logFiles(host, paths);
  if (files.length === 0) throw new MatriarchError('lab-not-ready', `${host.name} has written no log yet`);
  const positions = new Map<string, number>();
  for (const file of files) {
    const { text, end } = await readFrom(file, undefined);
    positions.set(file, end);
    const last = lines === 0 ? [] : text.trimEnd().split('\n').slice(-lines);
    shell.out(`==> ${file} <==\n${last.map((line) => `${line}\n`).join('')}\n`);
  }
  if (!follow) return;
  while (!shell.signal.aborted) {
    for (const file of files) {
      const { text, end } = await readFrom(file, positions.get(file));
      positions.set(file, end);
      for (const line of text.split('\n')) if (line !== '') shell.out(`${basename(file, '.log')}: ${line}\n`);
    }
    await pause(FOLLOW_MS, shell.signal);
  }
}

async function logFiles(host: Host, paths: LabPaths): Promise<readonly string[]> {
  const folders = [dirname(paths.log(host.name, 'any')), join(paths.host(host.name), 'postgresql')];
  const found = await Promise.all(
    folders.map(async (folder) => {
      const entries = await readdir(folder).catch(() => []);
      return entries.filter((entry) => entry.endsWith('.log')).map((entry) => join(folder, entry));
    }),
  );
  return found.flat();
}

/** The text from a position, or the last part of the file without one. */
async function readFrom(
  file: string,
  position: number | undefined,
): Promise<{ readonly text: string; readonly end: number }> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const from = Math.min(position ?? Math.max(0, size - TAIL_BYTES), size);
    const buffer = Buffer.alloc(Math.min(size - from, TAIL_BYTES));
    const { bytesRead } = await handle.read({ buffer, position: from });
    return { text: buffer.toString('utf8', 0, bytesRead), end: from + bytesRead };
  } finally {
    await handle.close();
  }
}
