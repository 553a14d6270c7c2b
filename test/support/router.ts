/**
 * A real cluster for tests of the router, with no agent: PostgreSQL servers, etcd, and the keys of Patroni's layout
 * written by the test itself, so that the test decides what the store says, and when.
 */
import type { TestContext } from 'node:test';
import { Client, type ClientConfig } from 'pg';
import { z } from 'zod';
import { describe, systemClock } from '../../src/base/index.ts';
import { type Config, checkConfig } from '../../src/config/index.ts';
import { connectEtcd, type Dcs, type Write } from '../../src/dcs/index.ts';
import { startRouter } from '../../src/router/index.ts';
import { type KeyLayout, keyLayout, type MemberJson, renderMember } from '../../src/topology/index.ts';
import { type EtcdMember, startEtcd } from './etcd.ts';
import { eventually } from './eventually.ts';
import { freshLoopback } from './loopback.ts';
import { aPrimary, aStandby, type TestMember } from './postgres.ts';
import { type LogLine, recordingLog } from './recording-log.ts';

const SCOPE = 'test';
const ROUTER_PASSWORD = 'router-password-of-a-test';
const CALL = { timeoutMs: 5000 };
const READY_MS = 10_000;

/** Node names; their datacenters are dc1, dc2, dc3 in order. The first is the primary at first. */
export const NODES = ['n1', 'n2', 'n3'] as const;
export type NodeName = (typeof NODES)[number];

interface StageSettings {
  readonly parameters?: Readonly<Record<string, string | number | boolean>>;
  readonly pg_hba?: string[];
}

export interface Stage {
  readonly nodes: Readonly<Record<NodeName, TestMember>>;
  readonly layout: KeyLayout;
  readonly dcs: Dcs;
  readonly etcdUrls: readonly string[];
  readonly etcd: EtcdMember;
  /** Publishes a member as its agent would. */
  readonly publish: (node: NodeName, changes: Partial<MemberJson>) => Promise<void>;
  readonly remove: (node: NodeName) => Promise<void>;
  /** The leader key; undefined deletes it. */
  readonly setLeader: (node: NodeName | undefined) => Promise<void>;
}

/** Three servers, all known to the store, `n1` leading. `settings` of the first, beside the test's own. */
export async function aStage(t: TestContext, settings: StageSettings = {}): Promise<Stage> {
  const etcd = await startEtcd(t);
  const { pg_hba = [] } = settings;
  const parameters = { shared_buffers: '16MB', max_connections: 100, fsync: false, ...settings.parameters };
  const n1 = await aPrimary(t, 'n1', { parameters, pg_hba });
  await n1.control.setRouterCredential(ROUTER_PASSWORD);
  await n1.control.ensureSlots({ ensure: ['n2', 'n3'] });
  const [n2, n3] = await Promise.all([aStandby(t, 'n2', n1), aStandby(t, 'n3', n1)]);
  const nodes = { n1, n2, n3 };

  const { log } = recordingLog();
  const options = { endpoints: [...etcd.urls], request_timeout: 2000 };
  const dcs = connectEtcd(options, { clock: systemClock, log });
  t.after(() => dcs.close());
  const layout = keyLayout('/service/', SCOPE);
  const put = async (writes: Write[]): Promise<void> => {
    await dcs.transact({ when: [], then: writes }, CALL);
  };
  const [member] = etcd.members;
  if (member === undefined) throw new Error('etcd has no member');
  const stage: Stage = {
    nodes,
    etcd: member,
    layout,
    dcs,
    etcdUrls: etcd.urls,
    publish: async (node, changes) => {
      await put([
        { op: 'put', key: layout.member(node), value: renderMember(memberJson(nodes[node], node, changes)) },
      ]);
    },
    remove: async (node) => put([{ op: 'delete', key: layout.member(node) }]),
    setLeader: async (node) =>
      put([
        node === undefined
          ? { op: 'delete', key: layout.leader }
          : { op: 'put', key: layout.leader, value: node },
      ]),
  };
  const credential = JSON.stringify({ username: 'matriarch_router', password: ROUTER_PASSWORD });
  await put([{ op: 'put', key: layout.routerCredential, value: credential }]);
  await stage.publish('n1', { role: 'primary' });
  await stage.publish('n2', {});
  await stage.publish('n3', {});
  await stage.setLeader('n1');
  return stage;
}

function memberJson(member: TestMember, node: NodeName, changes: Partial<MemberJson>): MemberJson {
  const { host, port } = member.address;
  const role = changes.role ?? 'replica';
  return {
    conn_url: `postgres://${host}:${port}/postgres`,
    api_url: `http://${host}:8008/patroni`,
    state: 'running',
    role,
    version: '3.3.0',
    timeline: 1,
    ...(role === 'replica' ? { replication_state: 'streaming' } : {}),
    tags: { datacenter: `dc${NODES.indexOf(node) + 1}` },
    ...changes,
  };
}

export interface RunningRouter {
  readonly host: string;
  readonly port: number;
  readonly http: string;
  readonly lines: readonly LogLine[];
  /** How a client of the role `app` connects. */
  readonly as: (changes?: ClientConfig) => ClientConfig;
  readonly stop: () => Promise<void>;
  /** State, reason and share of each node. */
  readonly states: () => Promise<Readonly<Record<string, string>>>;
  /** Reads and writes sent to each node so far, and reads that it handed on to others. */
  readonly counts: () => Promise<
    Readonly<Record<string, { readonly reads: number; readonly writes: number; readonly spilled: number }>>
  >;
}

/** Lines of a configuration: of its section `router`, and perhaps others than `datacenter: dc1` before it. */
export type RouterLines =
  | readonly string[]
  | { readonly router: readonly string[]; readonly top?: readonly string[] };

/** A primary that is gone is known to be gone soon. */
const SHORT_LEASE = 'lease: { ttl: 2s, keep_alive: 500ms, fence_margin: 500ms, loop_wait: 500ms }';

/** A configuration as from a file, with the test's addresses. */
export function routerConfig(stage: Pick<Stage, 'etcdUrls'>, host: string, lines: RouterLines = []): Config {
  const { router, top = ['datacenter: dc1'] } = 'router' in lines ? lines : { router: lines };
  const text = [
    `scope: ${SCOPE}`,
    'name: app1',
    ...top,
    'etcd:',
    `  endpoints: [${stage.etcdUrls.map((url) => `"${url}"`).join(', ')}]`,
    ...(top.some((line) => line.startsWith('lease:')) ? [] : [SHORT_LEASE]),
    'router:',
    `  listen: "${host}:5432"`,
    `  http_listen: "${host}:8009"`,
    ...router.map((line) => `  ${line}`),
  ].join('\n');
  const loaded = checkConfig(text, {}, 'router');
  if (!('config' in loaded)) throw new Error(`the test's configuration is wrong: ${JSON.stringify(loaded)}`);
  return loaded.config;
}

const nodesSchema = z.object({
  nodes: z.array(
    z.object({
      name: z.string(),
      reads: z.number(),
      writes: z.number(),
      state: z.string(),
      stateBecause: z.string(),
      share: z.number(),
      spilled: z.number(),
    }),
  ),
});

/** A router in this process, in datacenter dc1; unless `settings` say otherwise; stopped when the test ends. */
export async function aRouter(
  t: TestContext,
  stage: Pick<Stage, 'dcs' | 'etcdUrls'>,
  settings: RouterLines = [],
): Promise<RunningRouter> {
  const host = freshLoopback();
  const { log, lines } = recordingLog();
  const stopping = new AbortController();
  const config = routerConfig(stage, host, settings);
  const running = startRouter({
    config,
    dcs: stage.dcs,
    clock: systemClock,
    log,
    signal: stopping.signal,
  });
  let failure: unknown;
  running.catch((cause: unknown) => {
    failure = cause;
  });
  const stop = async (): Promise<void> => {
    stopping.abort();
    await running;
  };
  t.after(stop);
  const http = `http://${host}:8009`;
  await eventually(
    'the router is ready',
    async () => {
      if (failure !== undefined) throw failure;
      return await fetch(`${http}/readyz`).then(
        (answer) => String(answer.status),
        (cause: unknown) => describe(cause),
      );
    },
    { holds: (seen) => seen === '200', withinMs: READY_MS },
  );
  return {
    host,
    port: 5432,
    http,
    lines,
    as: (changes = {}) => ({ host, port: 5432, user: 'app', password: 'app', database: 'app', ...changes }),
    stop,
    states: async () => {
      const { nodes } = nodesSchema.parse(await (await fetch(`${http}/nodes`)).json());
      return Object.fromEntries(
        nodes.map(({ name, state, stateBecause, share }) => [
          name,
          [state, ...(stateBecause === '' || state === 'in' ? [] : [stateBecause]), share].join(' '),
        ]),
      );
    },
    counts: async () => {
      const answer = await fetch(`${http}/nodes`);
      const { nodes } = nodesSchema.parse(await answer.json());
      return Object.fromEntries(
        nodes.map(({ name, reads, writes, spilled }) => [name, { reads, writes, spilled }]),
      );
    },
  };
}

/** A connected client of node-postgres, ended with the test. */
export async function aClient(t: TestContext, config: ClientConfig): Promise<Client> {
  const client = new Client({ connectionTimeoutMillis: 20_000, ...config });
  client.on('error', () => undefined);
  t.after(async () => {
    await client.end().catch(() => undefined);
  });
  await client.connect();
  return client;
}
