/** Whether what was started can still become whole: a part that has ended, or an agent whose work fails again and again. */
import { z } from 'zod';
import { parseJson } from '../base/index.ts';
import type { LabPaths } from './files.ts';
import { logEvents, readLog } from './log-events.ts';
import { type StartedPart, startTicks } from './processes.ts';

const LAST_LINES = 2;

/** A line of etcd's log. */
const zapSchema = z.object({ msg: z.string(), error: z.string().optional() });

/** What is wrong, in words for a person; undefined while nothing is. */
export async function troubleOf(
  paths: LabPaths,
  started: readonly StartedPart[],
): Promise<string | undefined> {
  for (const { host, part, pid, logFrom } of started) {
    const said = await readLog(paths.log(host, part), logFrom);
    if (startTicks(pid) === undefined) return `${part} of ${host} has ended:\n${lastWords(said)}`;
    const failed = part === 'agent' ? repeatedFailure(said) : undefined;
    if (failed !== undefined) return `the agent of ${host}: ${failed}`;
  }
  return undefined;
}

/** The last job has failed twice or more: a full disk, a missing right. */
function repeatedFailure(said: string): string | undefined {
  const last = logEvents(said).findLast(({ event }) => event === 'job-failed' || event === 'job-done');
  if (last?.event !== 'job-failed' || (last.count ?? 0) < 2) return undefined;
  return `${last.cause ?? ''}\n${last.hint ?? ''}`;
}

/** What a process said at its end: our own error, else its last log lines, else its last lines (not a stack of Go). */
function lastWords(said: string): string {
  const lines = said.trimEnd().split('\n');
  const error = lines.findLastIndex((line) => line.startsWith('error: '));
  if (error >= 0) return lines.slice(error).join('\n');
  const events = lines.map((line) => zapSchema.safeParse(parseJson(line))).flatMap(({ data }) => data ?? []);
  if (events.length === 0) return lines.slice(-LAST_LINES).join('\n');
  return events
    .slice(-LAST_LINES)
    .map(({ msg, error: cause }) => `  ${msg}${cause === undefined ? '' : `: ${cause}`}`)
    .join('\n');
}
