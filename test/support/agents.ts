/**
 * Real agents for tests: each a `matriarch agent` process with its PostgreSQL on a fresh loopback address. Everything
 * a host runs (agent, fence, PostgreSQL) is found by its own folder, and is gone when the test ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Client } from 'pg';
import { stringify } from 'yaml';
import {
  allPids,
  findProcess,
  pause,
  processFolder,
  processText,
  serverProcesses,
} from '../../src/base/index.ts';
import { freshLoopback } from './loopback.ts';
import { BIN_DIR } from './postgres.ts';

export interface Scope {
  readonly after: (end: () => Promise<void>) => void;
}

export interface AgentSettings {
  readonly names: readonly string[];
  readonly etcd: readonly string[];
  readonly tags?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Each data directory is a symbolic link to a folder with another name. */
  readonly linked?: boolean;
  /** A commit is acknowledged once a standby has it, so that what was acknowledged outlives any one host. */
  readonly synchronous?: boolean;
  /** `failsafe_mode` from the beginning. */
  readonly failsafe?: boolean;
  /** A command for each callback. */
  readonly callback?: string;
  /** How long a leader key outlives its holder, as `lease.ttl`; the product's default if it is not given. */
  readonly ttl?: string;
}

/** Hosts without anything running; `start` starts their agents. */
export async function someHosts(scope: Scope, settings: AgentSettings): Promise<readonly Host[]> {
  const folder = await mkdtemp(join(tmpdir(), 'matriarch-agents-'));
  await chmod(folder, 0o755);
  const hosts = settings.names.map(
    (name) =>
      new Host({
        name,
        folder,
        etcd: settings.etcd,
        tags: settings.tags?.[name] ?? {},
        callbacks: callbacksOf(settings.callback),
        linked: settings.linked ?? false,
        lease: settings.ttl === undefined ? {} : { ttl: settings.ttl },
        dcs: {
          ...(settings.synchronous === true ? { synchronous_mode: 'quorum' } : {}),
          ...(settings.failsafe === true ? { failsafe_mode: true } : {}),
        },
      }),
  );
  scope.after(async () => {
    await Promise.all(hosts.map((host) => host.kill()));
    await rm(folder, { recursive: true, force: true });
  });
  await Promise.all(hosts.map((host) => host.prepare()));
  return hosts;
}

function callbacksOf(command: string | undefined): Readonly<Record<string, string>> {
  const actions = ['on_start', 'on_stop', 'on_restart', 'on_reload', 'on_role_change'];
  return command === undefined ? {} : Object.fromEntries(actions.map((action) => [action, command]));
}

interface HostOptions {
  readonly name: string;
  readonly folder: string;
  readonly etcd: readonly string[];
  readonly tags: Readonly<Record<string, unknown>>;
  readonly callbacks: Readonly<Record<string, string>>;
  readonly linked: boolean;
  readonly lease: Readonly<Record<string, string>>;
  readonly dcs: Readonly<Record<string, string | boolean>>;
}

export class Host {
  readonly name: string;
  readonly address: string;
  readonly dataDir: string;
  readonly #options: HostOptions;
  readonly #folder: string;
  readonly #config: string;
  #agent: ChildProcess | undefined;

  constructor(options: HostOptions) {
    this.name = options.name;
    this.address = freshLoopback();
    this.#options = options;
    this.#folder = join(options.folder, options.name);
    this.dataDir = join(this.#folder, 'data');
    this.#config = join(this.#folder, 'matriarch.yaml');
  }

  async prepare(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    if (this.#options.linked) {
      await mkdir(join(this.#folder, 'disk'));
      await symlink('disk', this.dataDir);
    }
    await writeFile(
      this.#config,
      stringify({
        scope: 'herd',
        name: this.name,
        datacenter: this.name,
        etcd: { endpoints: [...this.#options.etcd] },
        lease: this.#options.lease,
        log: { format: 'json' },
        restapi: { listen: `${this.address}:8008` },
        watchdog: { mode: 'off' },
        postgresql: {
          data_dir: this.dataDir,
          bin_dir: BIN_DIR,
          listen: `${this.address}:5432`,
          socket_dir: join(this.#folder, 'run'),
          authentication: {
            superuser: credential('postgres'),
            replication: credential('replicator'),
            rewind: credential('rewind_user'),
          },
          parameters: { shared_buffers: '16MB', max_connections: 40 },
          callbacks: this.#options.callbacks,
        },
        bootstrap: {
          users: [{ username: 'app', password: 'app', database: 'app' }],
          dcs: this.#options.dcs,
        },
        tags: this.#options.tags,
      }),
    );
  }

  /** Its matriarch.yaml. */
  get configFile(): string {
    return this.#config;
  }

  get agentPid(): number | undefined {
    return this.#agent?.pid;
  }

  /** Of the agent that was started last; null while it runs. */
  get exitCode(): number | null {
    return this.#agent?.exitCode ?? null;
  }

  /** Removes the data directory and lets `make` put something in its place. */
  async replaceDataDir(make: (folder: string) => Promise<void>): Promise<void> {
    await rm(this.dataDir, { recursive: true, force: true });
    await make(this.dataDir);
  }

  /** Puts a folder where the fence's socket would be, so that no fence can start. */
  async blockFence(): Promise<void> {
    const socket = `${await realpath(this.dataDir)}.fence.sock`;
    await rm(socket, { force: true });
    await mkdir(socket);
  }

  /** A file in the data directory. */
  async fileText(name: string): Promise<string> {
    return await readFile(join(this.dataDir, name), 'utf8');
  }

  /** Puts a file of this text there. */
  async replaceText(name: string, text: string): Promise<void> {
    await writeFile(join(this.dataDir, name), text);
  }

  /** Starts the agent; its log goes to a file that `log` reads. */
  start(): void {
    const out = openSync(join(this.#folder, 'agent.log'), 'a');
    this.#agent = spawn(process.execPath, [resolve('bin/matriarch'), 'agent', '--config', this.#config], {
      stdio: ['ignore', out, out],
    });
    closeSync(out);
  }

  async log(): Promise<string> {
    const read = (name: string): Promise<string> =>
      readFile(join(this.#folder, name), 'utf8').catch(() => '');
    return `--- ${this.name} agent\n${await read('agent.log')}--- ${this.name} fence\n${await read(this.#options.linked ? 'disk.fence.log' : 'data.fence.log')}`;
  }

  /** Sends a signal to the agent only. */
  signal(name: NodeJS.Signals): void {
    this.#agent?.kill(name);
  }

  /** SIGTERM, and waits for the end. */
  async stop(): Promise<number | null> {
    const agent = this.#agent;
    if (agent === undefined) return null;
    this.#agent = undefined;
    if (agent.exitCode !== null) return agent.exitCode;
    const exited = new Promise<number | null>((done) => agent.once('exit', (code) => done(code)));
    agent.kill('SIGTERM');
    return await exited;
  }

  /** Ends the agent alone, at once. */
  async killAgent(): Promise<void> {
    const agent = this.#agent;
    this.#agent = undefined;
    if (agent === undefined || agent.exitCode !== null || agent.signalCode !== null) return;
    const exited = new Promise((done) => agent.once('exit', done));
    agent.kill('SIGKILL');
    await exited;
  }

  /** The host's death: agent, fence and PostgreSQL at once. */
  async kill(): Promise<void> {
    for (let round = 0; round < 100; round += 1) {
      const pids = await this.pids();
      for (const pid of pids) signalQuietly(pid);
      if (pids.length === 0) break;
      await pause(20);
    }
    this.#agent = undefined;
  }

  /** Every process of this host: by its folder in the command line, or as its working directory. */
  async pids(): Promise<readonly number[]> {
    return allPids().filter((pid) => {
      if (pid === process.pid || findProcess(pid) === undefined) return false;
      const inside = `${this.#folder}/`;
      return (
        processFolder(pid)?.startsWith(inside) === true ||
        processText(pid, 'cmdline')?.includes(inside) === true
      );
    });
  }

  /** Pids of the PostgreSQL processes. */
  async serverPids(): Promise<readonly number[]> {
    const folder = await realpath(this.dataDir).catch(() => this.dataDir);
    return serverProcesses(folder).map(({ pid }) => pid);
  }

  async postmasterPid(): Promise<number | undefined> {
    const text = await readFile(join(this.dataDir, 'postmaster.pid'), 'utf8').catch(() => '');
    return text === '' ? undefined : Number(text.split('\n')[0]);
  }

  async rest(
    path: string,
  ): Promise<{ readonly status: number; readonly body: Readonly<Record<string, unknown>> }> {
    const answer = await fetch(`http://${this.address}:8008${path}`, { signal: AbortSignal.timeout(2000) });
    const text = await answer.text();
    return { status: answer.status, body: text === '' ? {} : JSON.parse(text) };
  }

  /** Any request to its REST API; a body is sent as JSON. */
  async ask(
    method: string,
    path: string,
    body?: object,
  ): Promise<{ readonly status: number; readonly text: string }> {
    const answer = await fetch(`http://${this.address}:8008${path}`, {
      method,
      signal: AbortSignal.timeout(60_000),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, text: await answer.text() };
  }

  /** A connection as superuser, straight to this server. */
  async connect(): Promise<Client> {
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
    return client;
  }

  async sql(text: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const client = await this.connect();
    try {
      return (await client.query<Record<string, unknown>>(text)).rows;
    } finally {
      await client.end();
    }
  }
}

function signalQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile, which is what was wanted.
    return;
  }
}

function credential(username: string): { readonly username: string; readonly password: string } {
  return { username, password: `${username}-secret` };
}

/**
 * For tests that share hosts: `watched` wraps a test's body, and `showLogs`, called at the end, prints the hosts' logs if
 * one of them has failed. The test itself is declared by its own file, where the runner counts it.
 */
export function sharedLogs(hosts: () => readonly Host[]): {
  readonly watched: (body: () => Promise<void>) => () => Promise<void>;
  readonly showLogs: () => Promise<void>;
} {
  let hasFailed = false;
  return {
    watched: (body) => async () => {
      try {
        await body();
      } catch (cause) {
        hasFailed = true;
        throw cause;
      }
    },
    showLogs: async () => {
      if (hasFailed) for (const host of hosts()) process.stderr.write(await host.log());
    },
  };
}
