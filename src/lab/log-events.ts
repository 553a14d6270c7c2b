/** The JSON logs of the lab's processes, read back: whole, or as they grow. */
import { open, readFile } from 'node:fs/promises';
import { z } from 'zod';
import { parseJson, pause } from '../base/index.ts';

/** The fields of a log line that the lab looks at. */
const eventSchema = z.object({
  event: z.string(),
  to: z.string().optional(),
  count: z.number().optional(),
  cause: z.string().optional(),
  hint: z.string().optional(),
});

export type LogEvent = z.infer<typeof eventSchema>;

const TAIL_MS = 20;

/** The text of a log from a byte on; empty when there is no log yet. */
export async function readLog(file: string, from: number): Promise<string> {
  const bytes = await readFile(file).catch(() => Buffer.alloc(0));
  return bytes.toString('utf8', from);
}

/** The events in the text of a log. */
export function logEvents(text: string): readonly LogEvent[] {
  return text.split('\n').flatMap(parseLine);
}

/** Calls `onEvent` with each event that a log gains after byte `from`, until the signal aborts. */
export async function followLogEvents(
  file: string,
  from: number,
  { signal, onEvent }: { readonly signal: AbortSignal; readonly onEvent: (event: LogEvent) => void },
): Promise<void> {
  const handle = await open(file, 'r');
  const buffer = Buffer.alloc(64 * 1024);
  let position = from;
  let rest = '';
  try {
    while (!signal.aborted) {
      const { bytesRead } = await handle.read({ position, buffer });
      position += bytesRead;
      const lines = (rest + buffer.toString('utf8', 0, bytesRead)).split('\n');
      rest = lines.pop() ?? '';
      for (const event of logEvents(lines.join('\n'))) onEvent(event);
      await pause(TAIL_MS, signal);
    }
  } finally {
    await handle.close();
  }
}

/** A line that is no event (an error printed at a start, a line half written) is passed over. */
function parseLine(line: string): readonly LogEvent[] {
  const parsed = eventSchema.safeParse(parseJson(line));
  return parsed.success ? [parsed.data] : [];
}
