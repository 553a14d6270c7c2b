/**
 * What every peer of the bench stands in front of: one PostgreSQL primary with pgbench's tables, and etcd with the
 * keys that an agent would write. One server for all, so that only the proxies differ. All of it is ours: own
 * loopback addresses, own folders, gone at the end; no service of the distribution is touched.
 */
import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Address, silentLog, systemClock } from '../src/base/index.ts';
import { connectEtcd } from '../src/dcs/index.ts';
import { inspectMachine, type Machine } from '../src/lab/machine.ts';
import { keyLayout, renderMember } from '../src/topology/index.ts';
import { startEtcd } from '../test/support/etcd.ts';
import { aPrimary, type TestMember } from '../test/support/postgres.ts';
import { sql } from '../test/support/sql.ts';
import { runProgram } from '../test/support/program.ts';
import type { Scope } from '../test/support/scratch.ts';

export const SCOPE = 'bench';
const NODE = 'n1';
export const APP = { user: 'app', password: 'app', database: 'app' } as const;
const CALL = { timeoutMs: 5000 };

export interface Stage {
  /** Where programs in front of the server register their end, which comes before the server's. */
  readonly programs: Scope;
  readonly machine: Machine;
  readonly server: Address;
  readonly etcdUrls: readonly string[];
  /** The server's SCRAM verifier of the application's role. */
  readonly verifier: string;
  /** Transactions that the server has counted in the database of the load, by backends that reported theirs. */
  readonly servedByServer: () => Promise<number>;
  /** A folder that PostgreSQL's user may write to, for one peer. */
  readonly folder: (name: string) => Promise<string>;
}

/** A primary with pgbench's tables at this scale, published in etcd as the leader. */
export async function aStage(
  scope: Scope,
  options: { readonly scale: number; readonly programs: Scope },
): Promise<Stage> {
  const machine = await inspectMachine(process.getuid?.() ?? 0, process.env['PATH'] ?? '');
  const root = await mkdtemp(join(tmpdir(), 'matriarch-bench-'));
  await chmod(root, 0o755);
  scope.after(() => rm(root, { recursive: true, force: true }));
  const etcd = await startEtcd(scope);
  const primary = await aPrimary(scope, NODE, {
    bin_dir: machine.binDir,
    parameters: { shared_buffers: '256MB', max_connections: 400, fsync: false, log_min_messages: 'error' },
  });
  await fillTables(machine, primary, options.scale);
  await publish(scope, primary, etcd.urls);
  const [role] = await sql(primary, `SELECT rolpassword FROM pg_authid WHERE rolname = '${APP.user}'`);
  return {
    programs: options.programs,
    machine,
    server: primary.address,
    etcdUrls: etcd.urls,
    verifier: String(role?.['rolpassword']),
    servedByServer: async () => {
      const [row] = await sql(primary, `SELECT xact_commit FROM pg_stat_database WHERE datname = 'app'`);
      return Number(row?.['xact_commit']);
    },
    folder: async (name) => {
      const folder = join(root, name);
      await mkdir(folder, { recursive: true });
      if (machine.owner !== undefined) await chown(folder, machine.owner.uid, machine.owner.gid);
      return folder;
    },
  };
}

async function fillTables(machine: Machine, primary: TestMember, scale: number): Promise<void> {
  const { host, port } = primary.address;
  const where = ['-h', host, '-p', String(port), '-U', APP.user, APP.database];
  const filled = await runProgram(
    join(machine.binDir, 'pgbench'),
    ['-i', '-q', '-s', String(scale), ...where],
    { env: { PGPASSWORD: APP.password }, timeoutMs: 120_000 },
  );
  if (filled.code !== 0) throw new Error(`pgbench -i failed: ${filled.stderr}`);
}

/** Member, leader and the router's role, as an agent publishes them. */
async function publish(scope: Scope, primary: TestMember, endpoints: readonly string[]): Promise<void> {
  const password = 'router-password-of-the-bench';
  await primary.control.setRouterCredential(password);
  const dcs = connectEtcd(
    { endpoints: [...endpoints], request_timeout: 2000 },
    { clock: systemClock, log: silentLog },
  );
  scope.after(() => dcs.close());
  const layout = keyLayout('/service/', SCOPE);
  const { host, port } = primary.address;
  const member = renderMember({
    conn_url: `postgres://${host}:${port}/postgres`,
    api_url: `http://${host}:8008/patroni`,
    state: 'running',
    role: 'primary',
    version: '3.3.0',
    timeline: 1,
    tags: { datacenter: 'dc1' },
  });
  const credential = JSON.stringify({ username: 'matriarch_router', password });
  await dcs.transact(
    {
      when: [],
      then: [
        { op: 'put', key: layout.routerCredential, value: credential },
        { op: 'put', key: layout.member(NODE), value: member },
        { op: 'put', key: layout.leader, value: NODE },
      ],
    },
    CALL,
  );
}
