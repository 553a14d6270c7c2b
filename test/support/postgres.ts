/** Real PostgreSQL servers for tests: one member in a scratch folder on a fresh loopback address, gone when the test ends. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual, promisify } from 'node:util';
import { silentLog, systemClock } from '../../src/base/index.ts';
import {
  openPostgres,
  type PostgresControl,
  type PostgresSettings,
  type Role,
  type Upstream,
} from '../../src/postgres/index.ts';
import { freshLoopback } from './loopback.ts';
import { RUN_FOLDER, type Scope, scratchFolder } from './scratch.ts';

export const BIN_DIR = '/usr/lib/postgresql/15/bin';

export interface TestMember {
  readonly name: string;
  readonly control: PostgresControl;
  readonly settings: PostgresSettings;
  readonly address: Upstream;
  /** A second control over the same directory, as an agent that was restarted would have. */
  readonly reopen: () => Promise<PostgresControl>;
}

/** Settings of a member under `folder`; passwords hold what must be quoted. */
export function someSettings(folder: string, changes: Partial<PostgresSettings> = {}): PostgresSettings {
  return {
    data_dir: join(folder, 'data'),
    bin_dir: BIN_DIR,
    listen: { host: freshLoopback(), port: 5432 },
    os_user: 'postgres',
    socket_dir: join(folder, 'run'),
    authentication: {
      superuser: { username: 'postgres', password: "su'per\\user:1" },
      replication: { username: 'replicator', password: "repl'ica\\tion:1" },
      rewind: { username: 'rewind_user', password: "re'wind\\:1" },
    },
    parameters: { shared_buffers: '16MB', max_connections: 20, fsync: false },
    pg_hba: [],
    ...changes,
  };
}

/** A member without data; its server and connections end with the test. */
export async function aMember(
  t: Scope,
  name: string,
  changes: Partial<PostgresSettings> = {},
): Promise<TestMember> {
  const opened: PostgresControl[] = [];
  // Before the folder is asked for, since hooks run in this order: a server that runs would fill it again.
  t.after(async () => {
    for (const control of opened) {
      await control.stop({ mode: 'immediate', deadlineMs: 5000 });
      await control.close();
    }
  });
  const settings = someSettings(await scratchFolder(t), changes);
  const open = async (): Promise<PostgresControl> => {
    const control = await openPostgres({
      config: settings,
      scope: 'test',
      name,
      clock: systemClock,
      log: silentLog,
    });
    opened.push(control);
    return control;
  };
  return { name, control: await open(), settings, address: settings.listen, reopen: open };
}

/** A running primary with the agent's roles. */
export async function aPrimary(
  t: Scope,
  name: string,
  changes: Partial<PostgresSettings> = {},
): Promise<TestMember> {
  const member = await aMember(t, name, changes);
  await madeByInitdb(member);
  await startAs(member, 'primary');
  await member.control.bootstrapSql({ users: [{ username: 'app', password: 'app', database: 'app' }] });
  return member;
}

/**
 * What initdb makes is the same each time but for the system identifier, and takes a second: a run of all tests has it made
 * once, and copied. Tests of initdb itself call it.
 */
async function madeByInitdb({ control, settings }: TestMember): Promise<void> {
  const runFolder = process.env[RUN_FOLDER];
  const isUsual = isDeepStrictEqual(settings.authentication, someSettings('/').authentication);
  if (runFolder === undefined || !isUsual) return await control.initdb();
  const template = join(runFolder, 'initdb');
  if (existsSync(template)) return await copyFolder(template, settings.data_dir);
  await control.initdb();
  const own = `${template}-${process.pid}`;
  await copyFolder(settings.data_dir, own);
  // Of two that come first together one is later.
  await rename(own, template).catch(async () => await rm(own, { recursive: true }));
}

/** With owners and modes. */
async function copyFolder(from: string, to: string): Promise<void> {
  await promisify(execFile)('cp', ['-a', '--', from, to]);
}

/** A running standby, cloned from `from` and streaming from it. */
export async function aStandby(t: Scope, name: string, from: TestMember): Promise<TestMember> {
  const member = await aMember(t, name);
  await member.control.basebackup(from.address, { slot: name });
  await startAs(member, 'standby', from);
  await until(
    `${name} streams`,
    async () => (await member.control.status()).replicationState === 'streaming',
  );
  return member;
}

/** Configures and starts; a standby streams from `from` through the slot named like itself. */
export async function startAs(member: TestMember, as: Role, from?: TestMember): Promise<void> {
  await member.control.writeConfig({ as, upstream: from?.address, slot: from && member.name });
  await member.control.start({ as });
}

/** Waits for a condition; what it throws counts as "not yet". */
export async function until(what: string, holds: () => Promise<boolean>, deadlineMs = 15_000): Promise<void> {
  const startedAt = systemClock.now();
  for (;;) {
    const done = await holds().catch(() => false);
    if (done) return;
    if (systemClock.now() - startedAt > deadlineMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await sleep(20);
  }
}
