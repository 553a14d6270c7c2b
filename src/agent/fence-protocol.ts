/**
 * Between agent and fence: one JSON object a line over a Unix socket. The agent says `arm` (deadline in monotonic ms,
 * which is one clock for all processes of a host), `disarm`, how to go about the watchdog device, or `leave` when it ends in
 * order; the fence answers each with the state it is in then. Imports next to nothing: the fence must start fast and stay small.
 */
import { isRecord, parseJson } from '../base/index.ts';
import type { WatchdogTiming } from '../ha/index.ts';

/** How the fence is started: one JSON argument. */
export interface FenceArguments {
  readonly socket: string;
  /** Data directory, with symbolic links resolved: how server processes are recognised. */
  readonly dataDir: string;
  readonly marginMs: number;
}

/** The device that the fence holds while it is armed, and how (ha/watchdog.ts). */
export interface WatchdogOrders extends WatchdogTiming {
  readonly device: string;
}

/** `free`: there are orders, and nothing to guard; `failed`: the last try to open or feed it was in vain. */
export type WatchdogStatus =
  | { readonly is: 'off' | 'free' | 'held' }
  | { readonly is: 'failed'; readonly because: string };

export type FenceRequest =
  | { readonly id: number; readonly type: 'arm'; readonly deadline: number }
  | { readonly id: number; readonly type: 'disarm' }
  | { readonly id: number; readonly type: 'watchdog'; readonly orders: WatchdogOrders | null }
  | { readonly id: number; readonly type: 'leave' }
  | { readonly id: number; readonly type: 'state' };

export interface FenceAnswer {
  readonly id: number;
  readonly state: 'idle' | 'armed' | 'striking';
  /** Present while armed or striking. */
  readonly deadline?: number;
  readonly pid: number;
  /** A fence that was started by an earlier version does not say it. */
  readonly watchdog?: WatchdogStatus;
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

/** Orders as they come over the socket; undefined for none, or for anything that is not in their form. */
export function readOrders(value: unknown): WatchdogOrders | undefined {
  if (!isRecord(value)) return undefined;
  const { device, timeoutMs, safetyMs, isStoppable } = value;
  if (typeof device !== 'string' || typeof safetyMs !== 'number' || typeof isStoppable !== 'boolean')
    return undefined;
  return { device, safetyMs, isStoppable, timeoutMs: typeof timeoutMs === 'number' ? timeoutMs : undefined };
}

/** What the fence says of the device; undefined for anything that is not in that form. */
export function readWatchdogStatus(value: unknown): WatchdogStatus | undefined {
  if (!isRecord(value)) return undefined;
  const { is, because } = value;
  if (is === 'off' || is === 'free' || is === 'held') return { is };
  return is === 'failed' ? { is, because: String(because) } : undefined;
}
