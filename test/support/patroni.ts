/**
 * Hosts of a cluster that Debian's Patroni made: each with a patroni.yml, from which either Patroni or our agent is run over
 * one data directory. All that a host runs is found by its folder, and is gone when the test ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Client } from 'pg';
import { stringify } from 'yaml';
import { allPids, findProcess, pause, processFolder, processText } from '../../src/base/index.ts';
import { asPostgres, postgresUser } from './as-postgres.ts';
import { freshLoopback } from './loopback.ts';
import { BIN_DIR } from './postgres.ts';
import type { Scope } from './scratch.ts';

export const PATRONI = '/usr/bin/patroni';
/** False where the machine has no Patroni: the test then says that it was skipped. */
export const hasPatroni = existsSync(PATRONI);

export const SCOPE = 'mixed';
/** As on Debian: not the usual one. */
export const NAMESPACE = '/postgresql-common/';

/** Hosts without anything running. */
export async function patroniHosts(
  scope: Scope,
  { names, etcd }: { readonly names: readonly string[]; readonly etcd: string },
): Promise<readonly PatroniHost[]> {
  const folder = await mkdtemp(join(tmpdir(), 'matriarch-patroni-'));
  await chmod(folder, 0o755);
  const hosts = names.map((name) => new PatroniHost(name, folder, etcd));
  scope.after(async () => {
    for (const host of hosts) await host.kill();
    await rm(folder, { recursive: true, force: true });
  });
  for (const host of hosts) await host.prepare();
  return hosts;
}

/** A role of the file, with a password made of its name. */
function role(username: string): unknown {
  return { username, password: `${username}-secret` };
}

type User = ReturnType<typeof postgresUser>;

export class PatroniHost {
  readonly name: string;
  readonly address = freshLoopback();
  readonly config: string;
  readonly #folder: string;
  readonly #etcd: string;
  #running: ChildProcess | undefined;
  #agentUser: User = {};

  constructor(name: string, folder: string, etcd: string) {
    this.name = name;
    this.#folder = join(folder, name);
    this.#etcd = etcd;
    this.config = join(this.#folder, 'patroni.yml');
  }

  async prepare(): Promise<void> {
    await mkdir(this.#folder);
    await mkdir(join(this.#folder, 'run'));
    await writeFile(this.config, stringify(this.#settings()));
    // As in a unit file, where that user can read this checkout.
    const { code } = await asPostgres('/usr/bin/test', ['-r', resolve('bin/matriarch')]);
    this.#agentUser = code === undefined ? postgresUser() : {};
    const { uid, gid } = postgresUser();
    if (uid === undefined || gid === undefined) return;
    for (const path of [this.#folder, join(this.#folder, 'run'), this.config]) await chown(path, uid, gid);
  }

  #settings(): Readonly<Record<string, unknown>> {
    return {
      scope: SCOPE,
      namespace: NAMESPACE,
      name: this.name,
      etcd3: { host: new URL(this.#etcd).host },
      restapi: { listen: `${this.address}:8008`, connect_address: `${this.address}:8008` },
      bootstrap: {
        dcs: {
          ttl: 8,
          loop_wait: 1,
          retry_timeout: 2,
          postgresql: {
            use_pg_rewind: true,
            parameters: { max_connections: 40, wal_keep_size: '64MB' },
            pg_hba: [
              'local all all scram-sha-256',
              'host replication all all scram-sha-256',
              'host all all all scram-sha-256',
            ],
          },
        },
        initdb: [{ encoding: 'UTF8' }, { locale: 'C' }, 'data-checksums', 'no-sync'],
      },
      postgresql: {
        listen: `${this.address}:5432`,
        connect_address: `${this.address}:5432`,
        data_dir: join(this.#folder, 'data'),
        bin_dir: BIN_DIR,
        pgpass: join(this.#folder, 'pgpass'),
        authentication: {
          superuser: role('postgres'),
          replication: role('replicator'),
          rewind: role('rewinder'),
        },
        parameters: {
          shared_buffers: '16MB',
          fsync: false,
          unix_socket_directories: join(this.#folder, 'run'),
        },
      },
      watchdog: { mode: 'off' },
      tags: { clonefrom: true },
    };
  }

  /** Debian's Patroni, as the user that owns the files. */
  startPatroni(): void {
    this.#start(PATRONI, [this.config], postgresUser());
  }

  /** Our agent from the same file. */
  startMatriarch(): void {
    const args = [resolve('bin/matriarch'), 'agent', '--patroni-config', this.config];
    this.#start(process.execPath, args, this.#agentUser);
  }

  /** Another tag in the file, and SIGHUP to whoever runs from it. */
  async retag(tags: Readonly<Record<string, unknown>>): Promise<void> {
    const settings = { ...this.#settings(), tags };
    await writeFile(this.config, stringify(settings));
    this.#running?.kill('SIGHUP');
  }

  /** Nothing is left of PostgreSQL here. */
  async wipe(): Promise<void> {
    await this.kill();
    for (const name of ['data', 'data.log', 'data.pgpass'])
      await rm(join(this.#folder, name), { recursive: true, force: true });
  }

  #start(program: string, args: readonly string[], user: User): void {
    const out = openSync(join(this.#folder, 'log'), 'a');
    this.#running = spawn(program, args, {
      stdio: ['ignore', out, out],
      cwd: '/',
      env: { PATH: process.env['PATH'], LOCAL_DATACENTER: this.name },
      ...user,
    });
    closeSync(out);
  }

  /** Ends Patroni or the agent alone, at once; PostgreSQL goes on. */
  async killManager(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Ends it in order; its exit status. */
  async stop(): Promise<number | null> {
    return await this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#running;
    this.#running = undefined;
    if (child === undefined || child.exitCode !== null) return child?.exitCode ?? null;
    const exited = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
    child.kill(signal);
    return await exited;
  }

  /** The host's death: all at once. */
  async kill(): Promise<void> {
    for (let round = 0; round < 100; round += 1) {
      const pids = this.#pids();
      if (pids.length === 0) break;
      for (const pid of pids) killQuietly(pid);
      await pause(20);
    }
    this.#running = undefined;
  }

  #pids(): readonly number[] {
    const inside = `${this.#folder}/`;
    return allPids().filter(
      (pid) =>
        pid !== process.pid &&
        findProcess(pid) !== undefined &&
        (processFolder(pid)?.startsWith(inside) === true ||
          processText(pid, 'cmdline')?.includes(inside) === true),
    );
  }

  async postmasterPid(): Promise<number | undefined> {
    const text = await readFile(join(this.#folder, 'data', 'postmaster.pid'), 'utf8').catch(() => '');
    return text === '' ? undefined : Number(text.split('\n')[0]);
  }

  async log(): Promise<string> {
    const read = (name: string): Promise<string> =>
      readFile(join(this.#folder, name), 'utf8').catch(() => '');
    return `--- ${this.name}\n${await read('log')}--- ${this.name}: PostgreSQL\n${(await read('data.log')).slice(-4000)}`;
  }

  /** `GET path` of the REST API, whoever serves it; an empty document where nobody does. */
  async rest(path: string): Promise<Readonly<Record<string, unknown>>> {
    try {
      const answer = await fetch(`http://${this.address}:8008${path}`, { signal: AbortSignal.timeout(2000) });
      const json: unknown = JSON.parse(await answer.text());
      return { status: answer.status, ...(typeof json === 'object' ? json : {}) };
    } catch {
      // Not there yet, or not any more: the caller waits for what it wants to see.
      return {};
    }
  }

  async sql(text: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const client = new Client({
      host: this.address,
      port: 5432,
      user: 'postgres',
      password: 'postgres-secret',
      database: 'postgres',
      connectionTimeoutMillis: 1000,
      query_timeout: 3000,
    });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(text)).rows;
    } finally {
      await client.end();
    }
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile, which is what was wanted.
    return;
  }
}
