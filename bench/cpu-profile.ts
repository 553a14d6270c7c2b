/**
 * V8's .cpuprofile files: which functions the time went to, by self time. It is time on the wall: a system call counts
 * with what else ran on its core meanwhile. Reading from sockets and waiting for them is "(idle)" to V8.
 */
import { z } from 'zod';

const profileSchema = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() }),
    }),
  ),
  samples: z.array(z.number()),
  startTime: z.number(),
  timeDeltas: z.array(z.number()),
});

export interface SelfTime {
  /** Function, file and line: `receive src/router/link.js:88`; natives have no file. */
  readonly what: string;
  readonly micros: number;
  /** Of the time that the process was at work, from 0 to 1. */
  readonly share: number;
}

/** What V8 calls waiting; everything else is work. */
const IDLE = '(idle)';

/** A part of a profile, in microseconds of the machine's monotonic clock, which is V8's. */
export interface Part {
  readonly from: number;
  readonly to: number;
}

/** Functions by self time within the part, most first. `text` is the file's; `root` is taken off the front of file names. */
export function selfTimes(text: string, root: string, part: Part): readonly SelfTime[] {
  const { nodes, samples, startTime, timeDeltas } = profileSchema.parse(JSON.parse(text));
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame, root)]));
  const spent = new Map<string, number>();
  let at = startTime;
  for (const [index, id] of samples.entries()) {
    // A delta is the time before its sample, which is what the sample before it stands for.
    at += timeDeltas[index] ?? 0;
    if (at < part.from || at > part.to) continue;
    const name = names.get(id) ?? '(unknown)';
    spent.set(name, (spent.get(name) ?? 0) + (timeDeltas[index + 1] ?? 0));
  }
  spent.delete(IDLE);
  const total = [...spent.values()].reduce((sum, micros) => sum + micros, 0);
  return [...spent]
    .map(([what, micros]) => ({ what, micros, share: total === 0 ? 0 : micros / total }))
    .sort((a, b) => b.micros - a.micros);
}

interface Frame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

function nameOf({ functionName, url, lineNumber }: Frame, root: string): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  const file = url.replace(/^file:\/\//, '').replace(`${root.replace(/\/$/, '')}/dist/`, '');
  return `${name} ${file}:${lineNumber + 1}`;
}
