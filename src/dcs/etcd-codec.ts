/**
 * The JSON of etcd's gateway (etcd API v3, `rpc.proto`): keys and values in base64, 64-bit integers as decimal
 * strings, zero values left out. Revisions are counts and fit in a number; lease and member ids use all 64 bits
 * and stay strings.
 */
import { z } from 'zod';
import { unreachable } from '../base/index.ts';
import type { Compare, KeyValue, Transaction, WatchEvent, Write } from './dcs.ts';

const id = z.union([z.string(), z.number().transform(String)]);
const count = z
  .union([z.string().regex(/^-?\d+$/), z.number()])
  .default(0)
  .transform(Number)
  .pipe(z.int());
const header = z.object({ revision: count, member_id: id.optional() });

const base64 = z
  .string()
  .default('')
  .transform((encoded) => Buffer.from(encoded, 'base64').toString('utf8'));

const keyValue = z
  .object({ key: base64, value: base64, create_revision: count, mod_revision: count, lease: id.default('0') })
  .transform(
    (kv): KeyValue => ({
      key: kv.key,
      value: kv.value,
      createRevision: kv.create_revision,
      modRevision: kv.mod_revision,
      lease: kv.lease === '0' ? undefined : kv.lease,
    }),
  );

export const rangeAnswer = z.object({ header, kvs: z.array(keyValue).default([]) });

export const grantAnswer = z.object({ ID: id, TTL: count });

/** TTL is left out (or 0) when the lease does not exist: that is an answer, not an error. */
export const keepAliveAnswer = z.object({ result: z.object({ TTL: count }) });

export const emptyAnswer = z.object({});

export const memberListAnswer = z.object({
  members: z
    .array(z.object({ ID: id, name: z.string().default(''), clientURLs: z.array(z.string()).default([]) }))
    .default([]),
});

export const statusAnswer = z.object({ header, leader: id.default('0') });

export const transactionAnswer = z.object({
  header,
  succeeded: z.boolean().default(false),
  responses: z
    .array(z.object({ response_txn: z.object({ succeeded: z.boolean().default(false) }).optional() }))
    .default([]),
});

const watchEvent = z
  .object({ type: z.enum(['PUT', 'DELETE']).default('PUT'), kv: keyValue })
  .transform(
    ({ type, kv }): WatchEvent =>
      type === 'PUT'
        ? { type: 'put', entry: kv }
        : { type: 'delete', key: kv.key, modRevision: kv.modRevision },
  );

/** One line of a watch. `canceled` without `compact_revision`: the server ended it for another reason. */
export const watchAnswer = z.object({
  result: z.object({
    header,
    created: z.boolean().default(false),
    canceled: z.boolean().default(false),
    compact_revision: count,
    events: z.array(watchEvent).default([]),
  }),
});

/** An error, alone (gateway of etcd 3.3 to 3.6) or as a line of a stream (`grpc_code` up to 3.5, `code` since). */
export const errorAnswer = z.union([
  z.object({ code: z.int(), message: z.string().default('') }),
  z
    .object({ error: z.object({ grpc_code: z.int(), message: z.string().default('') }) })
    .transform(({ error }) => ({ code: error.grpc_code, message: error.message })),
  z
    .object({ error: z.object({ code: z.int(), message: z.string().default('') }) })
    .transform(({ error }) => ({ code: error.code, message: error.message })),
]);

/** A JSON value to send. */
export type Json = string | number | boolean | readonly Json[] | { readonly [key: string]: Json };

export const encode = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

/** `key` and `range_end` of a prefix: the end is the prefix with its last byte that can grow, grown by one. */
export function prefixRange(prefix: string): { readonly key: string; readonly range_end: string } {
  const start = Buffer.from(prefix === '' ? '\0' : prefix, 'utf8');
  const end = Buffer.from(prefix, 'utf8');
  let last = end.length - 1;
  while (last >= 0 && end[last] === 0xff) last -= 1;
  if (last < 0) return { key: start.toString('base64'), range_end: encode('\0') };
  end.writeUInt8(end.readUInt8(last) + 1, last);
  return { key: start.toString('base64'), range_end: end.subarray(0, last + 1).toString('base64') };
}

/** A transaction; `otherwise` becomes a transaction nested in the failure branch, which etcd runs at once. */
export function transactionRequest(transaction: Transaction): Json {
  const { when, then, otherwise } = transaction;
  const outer = { compare: when.map(compareOf), success: then.map(operationOf) };
  if (otherwise === undefined) return outer;
  const inner = { compare: otherwise.when.map(compareOf), success: otherwise.then.map(operationOf) };
  return { ...outer, failure: [{ request_txn: inner }] };
}

function compareOf(compare: Compare): Json {
  const key = encode(compare.key);
  switch (compare.is) {
    case 'absent':
      return { key, target: 'CREATE', result: 'EQUAL', create_revision: '0' };
    case 'value':
      return { key, target: 'VALUE', result: 'EQUAL', value: encode(compare.value) };
    case 'mod-revision':
      return { key, target: 'MOD', result: 'EQUAL', mod_revision: String(compare.modRevision) };
  }
  return unreachable(compare);
}

function operationOf(write: Write): Json {
  const key = encode(write.key);
  if (write.op === 'delete') return { request_delete_range: { key } };
  const lease = write.lease === undefined ? {} : { lease: write.lease };
  return { request_put: { key, value: encode(write.value), ...lease } };
}
