/**
 * A conversation as a value: what a client sends, message by message, and where it waits. Played by player.ts; made
 * by hand in scripts.ts, at random in generate.ts. A conversation has tables of its own (stage.ts), so that playing it
 * twice, before equal tables, must be answered twice the same.
 */
import {
  Bind,
  Close,
  CopyFail,
  Describe,
  Execute,
  Flush,
  FRONTEND,
  Parse,
  Query,
  type StatementOrPortal,
  Sync,
} from '../../src/wire/index.ts';
import { MessageWriter } from '../../src/wire/writer.ts';

export type Step =
  | { readonly kind: 'query'; readonly sql: string }
  | { readonly kind: 'parse'; readonly name: string; readonly sql: string; readonly types: readonly number[] }
  | {
      readonly kind: 'bind';
      readonly portal: string;
      readonly statement: string;
      readonly values: readonly (string | undefined)[];
      /** 1: results in binary. */
      readonly format: 0 | 1;
    }
  | { readonly kind: 'describe'; readonly what: StatementOrPortal['kind']; readonly name: string }
  | { readonly kind: 'execute'; readonly portal: string; readonly maxRows: number }
  | { readonly kind: 'close'; readonly what: StatementOrPortal['kind']; readonly name: string }
  | { readonly kind: 'flush' }
  | { readonly kind: 'sync' }
  | { readonly kind: 'copyData'; readonly text: string }
  | { readonly kind: 'copyDone' }
  | { readonly kind: 'copyFail'; readonly reason: string }
  | { readonly kind: 'call'; readonly functionOid: number; readonly values: readonly string[] }
  /** Until all that was asked so far is answered, or the server waits for COPY data. */
  | { readonly kind: 'await' }
  /** Until the server is ready: whether COPY data is bad, and a Sync behind it answered, is for it alone to say. */
  | { readonly kind: 'awaitReady' }
  /** Waits for a notice, which says that the statement runs, and cancels it. */
  | { readonly kind: 'cancelAtNotice' }
  /** Cancels while nothing runs, after waiting. */
  | { readonly kind: 'cancelIdle' };

export interface Conversation {
  /** More parameters of the startup message. */
  readonly startup: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
}

/** The message of a step; undefined for what is no message. */
export function messageOf(step: Step): Buffer | undefined {
  switch (step.kind) {
    case 'query':
      return Query(step.sql);
    case 'parse':
      return Parse({ name: step.name, sql: step.sql, parameterTypes: step.types });
    case 'bind':
      return Bind({
        portal: step.portal,
        statement: step.statement,
        parameters: step.values.map((value) => (value === undefined ? undefined : Buffer.from(value))),
        resultFormats: [step.format],
      });
    case 'describe':
      return Describe(step.what, step.name);
    case 'execute':
      return Execute(step.portal, step.maxRows);
    case 'close':
      return Close(step.what, step.name);
    case 'flush':
      return Flush();
    case 'sync':
      return Sync();
    case 'copyData':
      return new MessageWriter(FRONTEND.CopyData).text(step.text).end();
    case 'copyDone':
      return new MessageWriter(FRONTEND.CopyDone).end();
    case 'copyFail':
      return CopyFail(step.reason);
    case 'call':
      return functionCall(step.functionOid, step.values);
    case 'await':
    case 'awaitReady':
    case 'cancelAtNotice':
    case 'cancelIdle':
  }
  return undefined;
}

/** Arguments and result as text. */
function functionCall(oid: number, values: readonly string[]): Buffer {
  const writer = new MessageWriter(FRONTEND.FunctionCall).int32(oid).count(0).count(values.length);
  for (const value of values) writer.int32(Buffer.byteLength(value)).text(value);
  return writer.count(0).end();
}

/** One line for people; long texts are cut. */
export function renderStep(step: Step): string {
  const { kind, ...rest } = step;
  const text = Object.values(rest)
    .map((value) => (typeof value === 'string' ? cut(value) : JSON.stringify(value)))
    .join(' ');
  return `${kind} ${text}`.trimEnd();
}

function cut(text: string): string {
  return JSON.stringify(text.length <= 200 ? text : `${text.slice(0, 100)}… ${text.length} characters`);
}

// ── short words for scripts and generators ─────────────────────────────────────────────────────────────────

export const waits: Step = { kind: 'await' };
export const sync: Step = { kind: 'sync' };
export const flush: Step = { kind: 'flush' };
export const copyDone: Step = { kind: 'copyDone' };

export const describe = (name: string): Step => ({ kind: 'describe', what: 'statement', name });

/** A simple query and its answer. */
export function asks(sql: string): readonly Step[] {
  return [{ kind: 'query', sql }, waits];
}

export function parse(name: string, sql: string, types: readonly number[] = []): Step {
  return { kind: 'parse', name, sql, types };
}

export function bind(portal: string, statement: string, values: readonly (string | undefined)[] = []): Step {
  return { kind: 'bind', portal, statement, values, format: 0 };
}

export function execute(portal = '', maxRows = 0): Step {
  return { kind: 'execute', portal, maxRows };
}

/** Parse, Bind, Describe, Execute with the unnamed statement; no Sync. */
export function runs(sql: string, values: readonly (string | undefined)[] = []): readonly Step[] {
  return [parse('', sql), bind('', '', values), { kind: 'describe', what: 'portal', name: '' }, execute()];
}
