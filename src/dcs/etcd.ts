/**
 * The real store: etcd's v3 API over its JSON gateway. This file is the `Dcs` interface in terms of etcd's
 * calls; `etcd-transport.ts` finds an endpoint that answers, `etcd-codec.ts` knows the JSON, `etcd-watch.ts`
 * keeps a watch alive.
 */
import type { Clock, Log } from '../base/index.ts';
import type {
  Call,
  Dcs,
  DcsMember,
  KeepAliveResult,
  KeyValue,
  Snapshot,
  Transaction,
  TransactionResult,
} from './dcs.ts';
import { DcsError } from './dcs-error.ts';
import {
  emptyAnswer,
  encode,
  grantAnswer,
  keepAliveAnswer,
  memberListAnswer,
  prefixRange,
  rangeAnswer,
  statusAnswer,
  transactionAnswer,
  transactionRequest,
} from './etcd-codec.ts';
import { type EtcdCredentials, EtcdLogin } from './etcd-login.ts';
import { readTls } from './etcd-tls.ts';
import { EtcdTransport } from './etcd-transport.ts';
import { watchEtcd } from './etcd-watch.ts';

/** `etcd:` of the configuration. */
export interface EtcdOptions {
  /** Client URLs; the one on this host first. */
  readonly endpoints: readonly string[];
  /** Longest wait for one request that the client makes of its own (for a watch), over all endpoints. Milliseconds. */
  readonly request_timeout: number;
  /** Files, where endpoints are https: authorities, and what proves this host. */
  readonly cacert?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Both, where etcd wants a login. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

export interface EtcdDeps {
  readonly clock: Clock;
  readonly log: Log;
}

/** Opens no connection yet: the first call does. `close` ends what is open. Throws `config-unreadable` for files of TLS. */
export function connectEtcd(etcd: EtcdOptions, deps: EtcdDeps): Dcs {
  const transport = new EtcdTransport(etcd.endpoints, {
    ...deps,
    tls: readTls(etcd),
    login: new EtcdLogin(credentialsOf(etcd)),
  });
  return {
    range: async (prefix, call) => await range(transport, prefix, call),
    get: async (key, call) => await get(transport, key, call),
    transact: async (transaction, call) => await transact(transport, transaction, call),
    grantLease: async (ttlMs, call) => await grantLease(transport, ttlMs, call),
    keepAlive: async (lease, call) => await keepAlive(transport, lease, call),
    revokeLease: async (lease, call) => await revokeLease(transport, lease, call),
    watch: async (prefix, handler, options) =>
      await watchEtcd(prefix, handler, options, { ...deps, transport, timeoutMs: etcd.request_timeout }),
    members: async (call) => await members(transport, call),
    moveLeader: async (toId, call) => await moveLeader(transport, toId, call),
    close: async () => await transport.close(),
  };
}

function credentialsOf({ username, password }: EtcdOptions): EtcdCredentials | undefined {
  return username === undefined || password === undefined ? undefined : { username, password };
}

const READ = { kind: 'repeatable', path: '/v3/kv/range', answer: rangeAnswer } as const;

async function range(transport: EtcdTransport, prefix: string, call: Call): Promise<Snapshot> {
  const answer = await transport.call({ ...READ, body: prefixRange(prefix), timeoutMs: call.timeoutMs });
  return { revision: answer.header.revision, entries: answer.kvs };
}

async function get(transport: EtcdTransport, key: string, call: Call): Promise<KeyValue | undefined> {
  const answer = await transport.call({ ...READ, body: { key: encode(key) }, timeoutMs: call.timeoutMs });
  return answer.kvs[0];
}

async function transact(
  transport: EtcdTransport,
  transaction: Transaction,
  call: Call,
): Promise<TransactionResult> {
  const answer = await transport.call({
    kind: 'change',
    path: '/v3/kv/txn',
    body: transactionRequest(transaction),
    answer: transactionAnswer,
    timeoutMs: call.timeoutMs,
  });
  const { revision } = answer.header;
  if (answer.succeeded) return { outcome: 'applied', branch: 'then', revision };
  if (answer.responses[0]?.response_txn?.succeeded === true)
    return { outcome: 'applied', branch: 'otherwise', revision };
  return { outcome: 'refused', revision };
}

/** Repeatable: a lease granted unheard of holds no key and ends by itself. */
async function grantLease(
  transport: EtcdTransport,
  ttlMs: number,
  call: Call,
): Promise<{ readonly lease: string; readonly ttlMs: number }> {
  const answer = await transport.call({
    kind: 'repeatable',
    path: '/v3/lease/grant',
    body: { TTL: String(Math.ceil(ttlMs / 1000)) },
    answer: grantAnswer,
    timeoutMs: call.timeoutMs,
  });
  return { lease: answer.ID, ttlMs: answer.TTL * 1000 };
}

async function keepAlive(transport: EtcdTransport, lease: string, call: Call): Promise<KeepAliveResult> {
  const answer = await transport.call({
    kind: 'repeatable',
    path: '/v3/lease/keepalive',
    body: { ID: lease },
    answer: keepAliveAnswer,
    timeoutMs: call.timeoutMs,
  });
  const ttlMs = answer.result.TTL * 1000;
  return ttlMs > 0 ? { outcome: 'alive', ttlMs } : { outcome: 'lost' };
}

/** Repeatable: a lease that is gone is what was wanted. */
async function revokeLease(transport: EtcdTransport, lease: string, call: Call): Promise<void> {
  try {
    await transport.call({
      kind: 'repeatable',
      path: '/v3/lease/revoke',
      body: { ID: lease },
      answer: emptyAnswer,
      timeoutMs: call.timeoutMs,
    });
  } catch (cause) {
    if (!(cause instanceof DcsError && cause.reason === 'lease-not-found')) throw cause;
  }
}

const STATUS = {
  kind: 'repeatable',
  path: '/v3/maintenance/status',
  body: {},
  answer: statusAnswer,
} as const;

async function members(transport: EtcdTransport, call: Call): Promise<readonly DcsMember[]> {
  const path = '/v3/cluster/member/list';
  const [list, status] = await Promise.all([
    transport.call({
      kind: 'repeatable',
      path,
      body: {},
      answer: memberListAnswer,
      timeoutMs: call.timeoutMs,
    }),
    transport.call({ ...STATUS, timeoutMs: call.timeoutMs }),
  ]);
  return list.members.map((member) => ({
    id: member.ID,
    name: member.name,
    clientUrls: member.clientURLs,
    isLeader: member.ID === status.leader,
  }));
}

/** Only the leader takes this order, so it is looked for first. */
async function moveLeader(transport: EtcdTransport, toId: string, call: Call): Promise<void> {
  const leader = await leaderEndpoint(transport, call);
  await transport.callAt(leader, {
    kind: 'change',
    path: '/v3/maintenance/transfer-leadership',
    body: { targetID: toId },
    answer: emptyAnswer,
    timeoutMs: call.timeoutMs,
  });
}

async function leaderEndpoint(
  transport: EtcdTransport,
  call: Call,
): Promise<EtcdTransport['endpoints']['all'][number]> {
  const found = await Promise.allSettled(
    transport.endpoints.all.map(async (endpoint) => {
      const status = await transport.callAt(endpoint, { ...STATUS, timeoutMs: call.timeoutMs });
      return {
        endpoint,
        isLeader: status.header.member_id !== undefined && status.header.member_id === status.leader,
      };
    }),
  );
  for (const result of found) {
    if (result.status === 'fulfilled' && result.value.isLeader) return result.value.endpoint;
  }
  throw new DcsError('not-sent', 'no-quorum', 'none of the etcd endpoints that answer is the leader');
}
