/** Whether what was started can still become whole: a part that has ended, or an agent whose work fails again and again. */
import { readFile } from 'node:fs/promises';
import type { LabPaths } from './files.ts';
import { readLogEvents } from './log-events.ts';
import { type StartedPart, startTicks } from './processes.ts';

const LAST_LINES = 2;
const LINE_MAX = 400;

/** What is wrong, in words for a person; undefined while nothing is. */
export async function troubleOf(
  paths: LabPaths,
  started: readonly StartedPart[],
): Promise<string | undefined> {
  for (const { host, part, pid } of started) {
    const file = paths.log(host, part);
    if ((await startTicks(pid)) === undefined)
      return `${part} of ${host} has ended:\n${await lastWords(file)}`;
    const failed = part === 'agent' ? await repeatedFailure(file) : undefined;
    if (failed !== undefined) return `the agent of ${host}: ${failed}`;
  }
  return undefined;
}

/** The same job has failed twice: a full disk, a missing right. */
async function repeatedFailure(file: string): Promise<string | undefined> {
  const events = await readLogEvents(file);
  const failed = events.findLast((each) => each.event === 'job-failed' && (each.count ?? 0) >= 2);
  return failed === undefined ? undefined : `${failed.cause ?? ''}\n${failed.hint ?? ''}`;
}

/** What a process said at its end: our own error, else its last log lines, else its last lines (not a stack of Go). */
async function lastWords(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const lines = text.trimEnd().split('\n');
  const error = lines.findLastIndex((line) => line.startsWith('error: '));
  const events = lines.filter((line) => line.startsWith('{'));
  const told = error >= 0 ? lines.slice(error) : (events.length > 0 ? events : lines).slice(-LAST_LINES);
  return told.map((line) => (line.length > LINE_MAX ? `${line.slice(0, LINE_MAX)} …` : line)).join('\n');
}
