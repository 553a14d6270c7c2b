/**
 * When is a lab whole? Asked from outside, as a user would: etcd over its client URL, members by their keys, routers
 * by their own readiness check. Conditions with a deadline; nothing here sleeps and hopes.
 */
import { Client } from 'pg';
import { request } from 'undici';
import { type Address, formatAddress, MatriarchError, pause, silentLog, systemClock } from '../base/index.ts';
import { connectEtcd, type Dcs } from '../dcs/index.ts';
import { applySnapshot, type ClusterView, emptyView, keyLayout, primaryOf } from '../topology/index.ts';
import { ACCOUNTS, LAB_SCOPE } from './files.ts';
import { type AppHost, type DbHost, etcdEndpoints, type LabLayout } from './hosts.ts';

export interface Wait {
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
  /** Asked now and then; a reason ends the wait before its deadline. */
  readonly isHopeless?: () => Promise<string | undefined>;
}

/** The keys of the lab's cluster. */
export const LAB_KEYS = keyLayout('/service/', LAB_SCOPE);

const POLL_MS = 100;
const CALL_MS = 2000;
/** Longer than any failover. */
const PRIMARY_MS = 60_000;

/** A client of the lab's etcd, the member of datacenter `nearest` asked first; the caller closes it. */
export function connectLab(layout: LabLayout, nearest: string): Dcs {
  return connectEtcd(
    { endpoints: [...etcdEndpoints(layout, nearest)], request_timeout: CALL_MS },
    { clock: systemClock, log: silentLog },
  );
}

/** The cluster as its keys say now. */
export async function readView(dcs: Dcs): Promise<ClusterView> {
  return applySnapshot(emptyView, await dcs.range(LAB_KEYS.prefix, { timeoutMs: CALL_MS }), LAB_KEYS);
}

/** Resolves when etcd has a quorum that answers. */
export async function waitForEtcd(layout: LabLayout, wait: Wait): Promise<void> {
  await withLabStore(layout, (dcs) =>
    poll('etcd has a quorum', wait, async () => {
      const members = await dcs.members({ timeoutMs: CALL_MS });
      return members.length === layout.dbHosts.length && members.some((each) => each.isLeader)
        ? true
        : undefined;
    }),
  );
}

/** Resolves with the name of the leader once it is a running primary. */
export async function waitForLeader(layout: LabLayout, wait: Wait): Promise<string> {
  return await withLabStore(layout, (dcs) =>
    poll('the cluster has a running primary', wait, async () => runningPrimary(await readView(dcs))),
  );
}

/** Resolves when `count` standbys stream. */
export async function waitForStandbys(layout: LabLayout, count: number, wait: Wait): Promise<void> {
  await withLabStore(layout, (dcs) =>
    poll(`${count} standbys stream`, wait, async () => {
      const view = await readView(dcs);
      return streamingStandbys(view).length >= count ? true : undefined;
    }),
  );
}

/** The same where Patroni publishes the members; before 3.0.4 it does not say who streams, but the primary does. */
export async function waitForPatroniStandbys(layout: LabLayout, count: number, wait: Wait): Promise<void> {
  await withLabStore(layout, (dcs) =>
    poll(`${count} standbys run and stream`, wait, async () => {
      const view = await readView(dcs);
      const isRunning = [...view.members.values()].filter(
        ({ state, role }) => state === 'running' && role === 'replica',
      );
      const primary = layout.dbHosts.find(({ name }) => name === runningPrimary(view));
      if (primary === undefined || isRunning.length < count) return undefined;
      const streaming = await ask(
        { address: primary.postgres, ...ACCOUNTS.superuser, database: 'postgres' },
        "SELECT FROM pg_stat_replication WHERE state = 'streaming'",
      );
      return streaming.length >= count ? true : undefined;
    }),
  );
}

/** Resolves when every router says that it is ready. */
export async function waitForRouters(layout: LabLayout, wait: Wait): Promise<void> {
  await Promise.all(
    layout.appHosts.map((host) =>
      poll(`the router of ${host.name} is ready`, wait, async () => {
        const answer = await request(`http://${formatAddress(host.http)}/readyz`, {
          headersTimeout: CALL_MS,
        });
        await answer.body.dump();
        return answer.statusCode === 200 ? true : undefined;
      }),
    ),
  );
}

/** Resolves when every pgpool-II has all servers up, and one of them as the primary. */
export async function waitForPgpools(layout: LabLayout, wait: Wait): Promise<void> {
  await Promise.all(
    layout.appHosts.map((host) =>
      poll(`pgpool-II of ${host.name} has its servers`, wait, async () => {
        const nodes = await poolNodes(host);
        const isWhole =
          nodes.length === layout.dbHosts.length && nodes.every(({ status }) => status === 'up');
        return isWhole && nodes.some(({ role }) => role === 'primary') ? true : undefined;
      }),
    ),
  );
}

/** A row of `SHOW POOL_NODES`. */
export interface PoolNode {
  readonly hostname: string;
  readonly status: string;
  readonly role: string;
  /** Its share of all, from 0 to 1. */
  readonly lb_weight: string;
}

/** What pgpool-II of a host knows of its servers. */
export async function poolNodes(host: AppHost): Promise<readonly PoolNode[]> {
  return await askRouter<PoolNode>(host, 'SHOW POOL_NODES');
}

/** The rows of one statement, by the router of a host, in a session of its own. */
export async function askRouter<Row extends object>(
  { router }: AppHost,
  sql: string,
): Promise<readonly Row[]> {
  return await ask<Row>({ address: router, ...ACCOUNTS.application }, sql);
}

interface Login {
  readonly address: Address;
  readonly username: string;
  readonly password: string;
  readonly database: string;
}

async function ask<Row extends object>(
  { address, username, ...login }: Login,
  sql: string,
): Promise<readonly Row[]> {
  const client = new Client({
    ...address,
    ...login,
    user: username,
    connectionTimeoutMillis: CALL_MS,
    query_timeout: CALL_MS,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** The leader's name when its member key says that it is a running primary. */
export function runningPrimary(view: ClusterView): string | undefined {
  const primary = primaryOf(view);
  return primary.kind === 'primary' ? primary.member.name : undefined;
}

/** Names of the members that run as streaming standbys of the newest timeline. */
export function streamingStandbys(view: ClusterView): readonly string[] {
  return [...view.members.values()]
    .filter((member) => member.name !== view.leader && member.state === 'running')
    .filter((member) => member.role === 'replica' && member.replicationState === 'streaming')
    .filter((member) => member.timeline === view.newestTimeline)
    .map((member) => member.name);
}

/** Asks `probe` until it gives a value. A failing probe counts as "not yet"; its last failure is told at the deadline. */
export async function poll<T>(what: string, wait: Wait, probe: () => Promise<T | undefined>): Promise<T> {
  const end = systemClock.now() + wait.deadlineMs;
  let lastFailure = '';
  while (systemClock.now() < end) {
    if (wait.signal.aborted)
      throw new MatriarchError('interrupted', `interrupted while waiting until ${what}`);
    try {
      const value = await probe();
      if (value !== undefined) return value;
    } catch (cause) {
      lastFailure = cause instanceof Error ? `: ${cause.message}` : '';
    }
    const hopeless = await wait.isHopeless?.();
    if (hopeless !== undefined)
      throw new MatriarchError('lab-not-ready', `it cannot come about that ${what}; ${hopeless}`);
    await pause(POLL_MS, wait.signal);
  }
  throw new MatriarchError(
    'lab-not-ready',
    `not so within ${wait.deadlineMs / 1000} s: ${what}${lastFailure}`,
  );
}

/** With a client of the lab's etcd, which is closed behind it. */
export async function withLabStore<T>(layout: LabLayout, work: (dcs: Dcs) => Promise<T>): Promise<T> {
  const dcs = connectLab(layout, layout.dbHosts[0].datacenter.name);
  try {
    return await work(dcs);
  } finally {
    await dcs.close();
  }
}

/** The database host that is the primary now; waits for one if there is none. */
export async function currentPrimary(layout: LabLayout): Promise<DbHost> {
  const dcs = connectLab(layout, layout.dbHosts[2].datacenter.name);
  try {
    const name = await poll(
      'there is a primary',
      { signal: AbortSignal.timeout(PRIMARY_MS), deadlineMs: PRIMARY_MS },
      async () => runningPrimary(await readView(dcs)),
    );
    return layout.dbHosts.find((host) => host.name === name) ?? layout.dbHosts[0];
  } finally {
    await dcs.close();
  }
}
