/** A router as a process, and all that take over from it: found by the file that they were started with, stopped together. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { ClientConfig } from 'pg';
import { stringify } from 'yaml';
import { allPids, processText } from '../../src/base/index.ts';
import { startMatriarch } from './command.ts';
import { eventually } from './eventually.ts';
import { freshLoopback } from './loopback.ts';
import type { TestMember } from './postgres.ts';
import { scratchFolder } from './scratch.ts';

const WITHIN_MS = 20_000;

export interface SucceedingRouter {
  readonly host: string;
  readonly port: number;
  /** Of its Unix socket and its pid file. */
  readonly folder: string;
  readonly as: (changes?: ClientConfig) => ClientConfig;
  /** Writes another file; what is given comes on top of the first `router` section. */
  readonly configure: (router: Readonly<Record<string, unknown>>) => Promise<void>;
  /** Who listens, as its pid file says. */
  readonly pid: () => Promise<number>;
  /** All that run, the old ones too. */
  readonly pids: () => readonly number[];
  readonly signal: (signal: NodeJS.Signals) => Promise<void>;
  /** SIGUSR2, and waits until a successor listens. */
  readonly takeOver: () => Promise<void>;
  /** Everything that any of them has logged. */
  readonly out: () => string;
  /** Waits until an event is in the log so many times. */
  readonly logged: (event: string, times: number) => Promise<void>;
}

/** Follows one server, without a store. */
export async function aSucceedingRouter(
  t: TestContext,
  server: TestMember,
  router: Readonly<Record<string, unknown>> = {},
): Promise<SucceedingRouter> {
  const folder = await scratchFolder(t);
  const host = freshLoopback();
  const port = 5432;
  const file = join(folder, 'matriarch.yaml');
  const pidFile = join(folder, 'router.pid');
  const users = join(folder, 'users.txt');
  await writeFile(users, '"app" "app"\n"postgres" "postgres"\n');
  const first = {
    listen: `${host}:${port}`,
    http_listen: `${host}:8009`,
    unix_socket_dir: folder,
    pid_file: pidFile,
    auth_file: users,
    admin_users: ['app'],
    node_check_period: '250ms',
    node_check_timeout: '1s',
    ...router,
  };
  const configure = async (changes: Readonly<Record<string, unknown>>): Promise<void> =>
    await writeFile(
      file,
      stringify({
        scope: 'test',
        name: 'app1',
        datacenter: 'dc1',
        nodes: [{ name: 'n1', address: `${server.address.host}:${server.address.port}` }],
        router: { ...first, ...changes },
      }),
    );
  await configure({});
  const running = startMatriarch(['router', '--config', file], { cwd: folder, timeoutMs: 120_000 });
  const pids = (): readonly number[] =>
    allPids().filter((pid) => processText(pid, 'cmdline')?.split('\0').includes(file) === true);
  t.after(async () => {
    for (const pid of pids()) process.kill(pid, 'SIGTERM');
    await eventually('all processes have ended', pids, {
      holds: ({ length }) => length === 0,
      withinMs: 10_000,
    }).catch((cause: unknown) => {
      for (const pid of pids()) process.kill(pid, 'SIGKILL');
      throw cause;
    });
    await running.ended;
  });
  const pid = async (): Promise<number> => Number(await readFile(pidFile, 'utf8'));
  const signal = async (name: NodeJS.Signals): Promise<void> => {
    process.kill(await pid(), name);
  };
  const count = (event: string): number => running.out().split(`"event":"${event}"`).length - 1;
  const logged = async (event: string, times: number): Promise<void> => {
    await eventually(
      `${event} is logged ${times} times`,
      () => [count(event), running.out().slice(-2000)] as const,
      {
        holds: ([seen]) => seen >= times,
        withinMs: WITHIN_MS,
      },
    );
  };
  await logged('router-listening', 1);
  await eventually('the router is ready', async () => (await fetch(`http://${host}:8009/readyz`)).status, {
    holds: (status) => status === 200,
    withinMs: WITHIN_MS,
  });
  return {
    host,
    port,
    folder,
    as: (changes = {}) => ({ host, port, user: 'app', password: 'app', database: 'app', ...changes }),
    configure,
    pid,
    pids,
    signal,
    takeOver: async () => {
      const before = await pid();
      const times = count('taken-over');
      await signal('SIGUSR2');
      await logged('taken-over', times + 1);
      assert.notEqual(await pid(), before);
    },
    out: running.out,
    logged,
  };
}
