/**
 * Between agent and fence: one JSON object a line over a Unix socket. The agent says `arm` (deadline in monotonic ms,
 * which is one clock for all processes of a host), `disarm`, or `leave` when it ends in order; the fence answers each
 * with the state it is in then. Imports next to nothing: the fence must start fast and stay small.
 */
import { isRecord, parseJson } from '../base/index.ts';

/** How the fence is started: one JSON argument. */
export interface FenceArguments {
  readonly socket: string;
  /** Data directory, with symbolic links resolved: how server processes are recognised. */
  readonly dataDir: string;
  readonly marginMs: number;
}

export type FenceRequest =
  | { readonly id: number; readonly type: 'arm'; readonly deadline: number }
  | { readonly id: number; readonly type: 'disarm' }
  | { readonly id: number; readonly type: 'leave' }
  | { readonly id: number; readonly type: 'state' };

export interface FenceAnswer {
  readonly id: number;
  readonly state: 'idle' | 'armed' | 'striking';
  /** Present while armed or striking. */
  readonly deadline?: number;
  readonly pid: number;
}

/** A line's object; undefined for anything that is not one. */
export function parseLine(line: string): Readonly<Record<string, unknown>> | undefined {
  // Garbage on the socket is not a message; the sender gets no answer and its deadline passes.
  const value = parseJson(line);
  return isRecord(value) ? value : undefined;
}

/** Takes the whole lines out of `text`; the rest is an unfinished line, cut at a size no message has. */
export function splitLines(text: string): { readonly lines: readonly string[]; readonly rest: string } {
  const lines = text.split('\n');
  const rest = lines.pop() ?? '';
  return { lines, rest: rest.length > 4096 ? '' : rest };
}
