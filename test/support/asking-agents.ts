/** What tests ask of running agents again and again: a health check's code, a field of their status, an answer of a busy server. */
import { ok } from 'node:assert/strict';
import { systemClock } from '../../src/base/index.ts';
import { type Host, type Scope, sharedLogs, someHosts } from './agents.ts';
import { type EtcdCluster, startEtcd } from './etcd.ts';
import { eventually } from './eventually.ts';

export const PATHS = [
  '/',
  '/primary',
  '/master',
  '/read-write',
  '/leader',
  '/standby-leader',
  '/standby_leader',
  '/replica',
  '/replica?lag=1GB',
  '/replica?lag=none',
  '/replica?tag_colour=Grey',
  '/replica?tag_colour=Pink',
  '/read-only',
  '/read-only-sync',
  '/sync',
  '/async',
  '/health',
  '/liveness',
  '/readiness',
  '/patroni',
  '/nonsense',
];

export const codes = async (host: Host): Promise<Record<string, number | undefined>> =>
  Object.fromEntries(
    await Promise.all(PATHS.map(async (path) => [path, (await host.rest(path)).status] as const)),
  );

export const yes = (paths: readonly string[]) =>
  Object.fromEntries(PATHS.map((path) => [path, paths.includes(path) ? 200 : 503]));

export const at = (ms: number): string => new Date(systemClock.wallNow() + ms).toISOString();

export const statusOf = async (host: Host, path: string): Promise<number | undefined> =>
  (await host.rest(path).catch(() => undefined))?.status;
export const fieldOf = async (host: Host, name: string): Promise<unknown> =>
  (await host.rest('/patroni').catch(() => undefined))?.body[name];
export const is = (wanted: unknown) => (seen: unknown) => seen === wanted;

/** Asked again while a busy machine lets the connection time out. */
export async function answered<T>(ask: () => Promise<T>): Promise<T> {
  const answer = await eventually('an answer', () => ask().catch(() => undefined), {
    holds: (seen) => seen !== undefined,
    withinMs: 20_000,
  });
  ok(answer !== undefined);
  return answer;
}

export function named(hosts: readonly Host[], name: string | undefined): Host {
  const found = hosts.find((host) => host.name === name);
  ok(found !== undefined, `no host ${name}`);
  return found;
}

interface Pair {
  readonly etcd: EtcdCluster;
  readonly alpha: Host;
  readonly beta: Host;
  /** Wraps a test's body: the hosts' logs are printed if it fails. */
  readonly watched: (body: () => Promise<void>) => () => Promise<void>;
}

/** Two hosts with quorum durability, and nothing running on them yet. */
export async function aPairOfHosts(scope: Scope, ttlMs: number): Promise<Pair> {
  const etcd = await startEtcd(scope);
  let hosts: readonly Host[] = [];
  const { watched, showLogs } = sharedLogs(() => hosts);
  scope.after(showLogs);
  const names = ['alpha', 'beta'];
  hosts = await someHosts(scope, { names, etcd: etcd.urls, synchronous: true, ttl: `${ttlMs}ms` });
  return { etcd, alpha: named(hosts, 'alpha'), beta: named(hosts, 'beta'), watched };
}

/** Starts the first, and the second when that leads; resolves when the second streams. */
export async function startInOrder(leader: Host, standby: Host, withinMs: number): Promise<void> {
  leader.start();
  await eventually(`${leader.name} leads`, () => statusOf(leader, '/primary'), { holds: is(200), withinMs });
  standby.start();
  await eventually(`${standby.name} streams`, () => fieldOf(standby, 'replication_state'), {
    holds: is('streaming'),
    withinMs,
  });
}

/** Of two hosts the leader, once the other streams from it. */
export async function wholePair(hosts: readonly Host[]): Promise<Host> {
  const leader = await eventually(
    'a leader and a streaming standby',
    async () => {
      for (const host of hosts) {
        const other = hosts.find((one) => one !== host);
        if (other === undefined || (await statusOf(host, '/primary')) !== 200) continue;
        if ((await fieldOf(other, 'replication_state')) === 'streaming') return host.name;
      }
      return undefined;
    },
    { holds: (name) => name !== undefined, withinMs: 150_000 },
  );
  return named(hosts, leader);
}
