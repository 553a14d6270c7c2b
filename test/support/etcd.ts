/**
 * Real etcd for tests: one member or three, each on its own loopback address, data in memory where the machine
 * has /dev/shm. Every process is ended when the test ends, whatever happened; when a member does not come up,
 * the error holds the end of its log.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause } from '../../src/base/index.ts';
import { eventually } from './eventually.ts';
import { freshLoopback } from './loopback.ts';
import { RUN_FOLDER, type Scope } from './scratch.ts';

export const ETCD_BINARY = '/usr/bin/etcd';

/** False where the machine has no etcd: the test then says that it was skipped. */
export const hasEtcd = existsSync(ETCD_BINARY);

export interface EtcdMember {
  readonly name: string;
  readonly url: string;
  /** Stopped by SIGSTOP, every thread of it: its sockets stay open and answer nothing. */
  readonly freeze: () => Promise<void>;
  readonly thaw: () => void;
  readonly kill: () => Promise<void>;
  /** Starts it again with its data after `kill`. */
  readonly start: () => Promise<void>;
}

export interface EtcdCluster {
  readonly members: readonly EtcdMember[];
  readonly urls: readonly string[];
}

export interface EtcdSettings {
  readonly members?: 1 | 3;
  /** More options for etcd's command line. */
  readonly flags?: readonly string[];
  /** False: do not wait until a quorum answers (for members that are not meant to). */
  readonly waitForQuorum?: boolean;
}

const READY_MS = 20_000;

/** A cluster with a leader. */
export async function startEtcd(scope: Scope, settings: EtcdSettings = {}): Promise<EtcdCluster> {
  // A run of all tests has its own folder; a file by itself is quicker in memory, for etcd syncs each write.
  const isInMemory = process.env[RUN_FOLDER] === undefined && existsSync('/dev/shm');
  const parent = isInMemory ? '/dev/shm' : tmpdir();
  const folder = await mkdtemp(join(parent, 'matriarch-etcd-'));
  const hosts = Array.from({ length: settings.members ?? 1 }, (_, index) => ({
    name: `etcd${index + 1}`,
    host: freshLoopback(),
  }));
  const initialCluster = hosts.map(({ name, host }) => `${name}=http://${host}:2380`).join(',');
  const members = hosts.map(
    ({ name, host }) => new Member({ name, host, folder, initialCluster, flags: settings.flags ?? [] }),
  );
  scope.after(async () => {
    await Promise.all(members.map(async (member) => await member.kill()));
    await rm(folder, { recursive: true, force: true });
  });
  await Promise.all(members.map(async (member) => await member.spawn()));
  if (settings.waitForQuorum !== false) {
    await Promise.all(members.map(async (member) => await member.waitUntilReady()));
  }
  return { members, urls: members.map((member) => member.url) };
}

/** The state letter of each thread, as in proc(5): the signal takes effect a little after it was sent. */
async function threadStates(pid: number): Promise<readonly string[]> {
  const threads = await readdir(`/proc/${pid}/task`);
  const stats = await Promise.all(
    threads.map(async (thread) => await readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8')),
  );
  return stats.map((stat) => stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3));
}

class Member implements EtcdMember {
  readonly name: string;
  readonly url: string;
  readonly #arguments: readonly string[];
  readonly #folder: string;
  readonly #logFile: string;
  #child: ChildProcess | undefined;

  constructor(options: {
    readonly name: string;
    readonly host: string;
    readonly folder: string;
    readonly initialCluster: string;
    readonly flags: readonly string[];
  }) {
    const { name, host } = options;
    this.name = name;
    this.url = `http://${host}:2379`;
    this.#folder = join(options.folder, name);
    this.#logFile = join(options.folder, `${name}.log`);
    this.#arguments = [
      `--name=${name}`,
      `--data-dir=${join(this.#folder, 'data')}`,
      '--logger=zap',
      '--log-level=warn',
      `--listen-client-urls=${this.url}`,
      `--advertise-client-urls=${this.url}`,
      `--listen-peer-urls=http://${host}:2380`,
      `--initial-advertise-peer-urls=http://${host}:2380`,
      `--initial-cluster=${options.initialCluster}`,
      `--initial-cluster-token=${options.folder}`,
      ...options.flags,
    ];
  }

  async start(): Promise<void> {
    await this.spawn();
    await this.waitUntilReady();
  }

  async spawn(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const log = openSync(this.#logFile, 'a');
    this.#child = spawn(ETCD_BINARY, this.#arguments, { stdio: ['ignore', log, log] });
    closeSync(log);
    await once(this.#child, 'spawn');
  }

  async freeze(): Promise<void> {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    process.kill(pid, 'SIGSTOP');
    await eventually('every thread is stopped', async () => await threadStates(pid), {
      holds: (states) => states.every((state) => state === 'T'),
      withinMs: 2000,
    });
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async waitUntilReady(): Promise<void> {
    const deadline = performance.now() + READY_MS;
    while (!(await this.#isReady())) {
      if (performance.now() > deadline || this.#child?.exitCode !== null)
        throw new Error(await this.#report());
      await pause(50);
    }
  }

  /** Ready means: answers a linearizable read, so it has a leader. */
  async #isReady(): Promise<boolean> {
    try {
      const answer = await fetch(`${this.url}/health`, { signal: AbortSignal.timeout(2000) });
      return answer.status === 200;
    } catch {
      // Not listening yet: the deadline of the caller ends this.
      return false;
    }
  }

  async #report(): Promise<string> {
    const log = await readFile(this.#logFile, 'utf8');
    return `etcd ${this.name} at ${this.url} did not become ready; the end of its log:\n${log.slice(-4000)}`;
  }
}
