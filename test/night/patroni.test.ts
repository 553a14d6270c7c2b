/**
 * `lab up --ha patroni`: the original agent on the database hosts, and our routers, which follow it. One lab, and the tests
 * run in order. With pgpool-II too: `npm run lab:pgpool -- --ha patroni`.
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import pg from 'pg';
import { pause } from '../../src/base/index.ts';
import {
  ACCOUNTS,
  type AppHost,
  connectLab,
  type DbHost,
  labPaths,
  labProcesses,
  PATRONI_PROGRAM,
  readView,
} from '../../src/lab/index.ts';
import { primaryOf } from '../../src/topology/index.ts';
import { postgresUser } from '../support/as-postgres.ts';
import { eventually } from '../support/eventually.ts';
import { placeForLab, type TestLab } from '../support/lab.ts';
import { BIN_DIR } from '../support/postgres.ts';

/** Patroni takes its time, and a machine that does much else is waited for. */
const PATIENCE_MS = 180_000;
const READS = 120;
/** A host that is gone is to be missed sooner than by Patroni's own timing: this is about what follows, not about that. */
const TIMING = { ttl: 20, loop_wait: 2, retry_timeout: 5 };

describe('a lab of Patroni’s', {
  skip: !existsSync(PATRONI_PROGRAM) && 'there is no Patroni',
}, () => {
  let lab: TestLab;
  let killed: DbHost;
  const acknowledged: number[] = [];
  let failed = false;

  before(async () => {
    lab = await placeForLab();
  });
  after(async () => {
    if (failed)
      for (const { name } of lab.layout.dbHosts) process.stdout.write((await readLog(name)).slice(-8000));
    await lab.end();
  });

  it(
    'is made by Patroni, and patronictl is told of',
    step(async () => {
      const { status, err } = await lab.run('up', '--ha', 'patroni', '--base-octet', String(lab.baseOctet));
      assert.equal(status, 0, err);
      const said = /^Patroni: patronictl -c (\S+) list$/m.exec(err);
      assert.ok(said?.[1] !== undefined, err);
      const listed = await patronictl(said[1], 'list', '-f', 'json');
      const members: readonly Readonly<Record<string, unknown>>[] = JSON.parse(listed);
      assert.deepEqual(
        members.map(({ Member: name, State: state }) => [name, state]),
        ['db-fsn-01', 'db-sib-01', 'db-sib-03'].map((name) => [name, 'running']),
      );
      assert.deepEqual(
        members.filter(({ Role: role }) => role === 'Leader').map(({ Member: name }) => name),
        ['db-sib-01'],
      );
      const parts = labProcesses(labPaths(lab.folder)).map(({ host, part }) => `${host} ${part}`);
      for (const { name } of lab.layout.dbHosts) assert.ok(parts.includes(`${name} patroni`), parts.join());
      assert.deepEqual(
        parts.filter((each) => each.endsWith('agent') || each.endsWith('fence')),
        [],
      );
      await patronictl(said[1], 'edit-config', '--force', ...Object.entries(TIMING).flatMap(setting));
    }),
  );

  it(
    'has its writes done at the leader, by each router, and its reads near',
    step(async () => {
      const primary = await primaryHost();
      await withClient({ ...lab.layout.appHosts[0].router, ...APPLICATION }, async (client) => {
        await client.query('CREATE TABLE written (n int PRIMARY KEY)');
      });
      for (const [index, host] of lab.layout.appHosts.entries()) {
        assert.equal(await writtenAt(host, -1 - index), primary.postgres.host);
        // 10 of 12 are expected near, and 1 at each other.
        await eventually(`${host.name} reads by weight`, async () => await readsOf(host), {
          holds: (reads) =>
            reads.every((count, at) =>
              at === index ? count >= 0.75 * READS && count <= 0.92 * READS : count >= 0.03 * READS,
            ),
          withinMs: PATIENCE_MS,
        });
      }
    }),
  );

  it(
    'gets its writes back by itself when the primary’s host dies, and none that was acknowledged is lost',
    step(async () => {
      killed = await primaryHost();
      const done = new AbortController();
      const writing = lab.layout.appHosts.map(async (host, index) => {
        for (let n = index; !done.signal.aborted; n += lab.layout.appHosts.length) {
          const isDone = await writtenAt(host, n).then(
            () => true,
            () => false,
          );
          if (isDone) acknowledged.push(n);
          else await pause(50);
        }
      });
      const isEveryoneWriting = (from: number) => (): boolean =>
        lab.layout.appHosts.every((_, index) =>
          acknowledged.slice(from).some((n) => n % lab.layout.appHosts.length === index),
        );
      try {
        await eventually('each router writes', isEveryoneWriting(0), {
          holds: Boolean,
          withinMs: PATIENCE_MS,
        });
        await lab.verb('kill', killed.name);
        const isWritingAgain = isEveryoneWriting(acknowledged.length);
        await eventually('each router writes again', isWritingAgain, {
          holds: Boolean,
          withinMs: PATIENCE_MS,
        });
      } finally {
        done.abort();
        await Promise.all(writing);
      }
      const primary = await primaryHost();
      assert.notEqual(primary.name, killed.name);
      for (const [index, host] of lab.layout.appHosts.entries())
        assert.equal(await writtenAt(host, -11 - index), primary.postgres.host);
      await nothingLost();
    }),
  );

  it(
    'takes the old primary back as a standby, by pg_rewind',
    step(async () => {
      const data = labPaths(lab.folder).pgdata(killed.name);
      // Written by the dead one alone, beyond where the others went another way; nobody is there to confirm it.
      const alone = ['--single', '-D', data, '-c', 'synchronous_commit=local', APPLICATION.database];
      execFileSync(join(BIN_DIR, 'postgres'), alone, {
        input: 'CREATE TABLE nowhere_else ()\n',
        stdio: ['pipe', 'ignore', 'ignore'],
        timeout: PATIENCE_MS,
        ...postgresUser(),
      });
      await lab.verb('start', killed.name);
      const primary = await primaryHost();
      await eventually('it streams again', async () => await askServer(primary, STREAMING).catch(String), {
        holds: (rows) => typeof rows !== 'string' && rows.some(({ name }) => name === killed.name),
        withinMs: PATIENCE_MS,
      });
      assert.match(await readLog(killed.name), /pg_rewind exit code=0/);
      assert.deepEqual(await askServer(killed, "SELECT to_regclass('nowhere_else') AS name"), [
        { name: null },
      ]);
      const index = lab.layout.dbHosts.indexOf(killed);
      const [host] = lab.layout.appHosts.slice(index);
      assert.ok(host !== undefined);
      await eventually('it serves its share of the reads', async () => await readsOf(host), {
        holds: (reads) => (reads[index] ?? 0) >= 0.75 * READS,
        withinMs: PATIENCE_MS,
      });
    }),
  );

  it(
    'is taken over by our agents the next time, with all that was written',
    step(async () => {
      await lab.verb('down');
      await lab.verb('up', '--base-octet', String(lab.baseOctet));
      const primary = await primaryHost();
      for (const [index, host] of lab.layout.appHosts.entries())
        assert.equal(await writtenAt(host, -31 - index), primary.postgres.host);
      await nothingLost();
    }),
  );

  it(
    'leaves nothing',
    step(async () => {
      await lab.verb('down', '--delete');
      assert.deepEqual(labProcesses(labPaths(lab.folder)), []);
      assert.equal(existsSync(lab.folder), false);
    }),
  );

  /** The first failure leaves nothing to the steps behind it. */
  function step(work: () => Promise<void>): () => Promise<void> {
    return async () => {
      assert.ok(!failed, 'a step before this one failed');
      failed = true;
      await work();
      failed = false;
    };
  }

  async function primaryHost(): Promise<DbHost> {
    const dcs = connectLab(lab.layout, 'dc3');
    try {
      const primary = primaryOf(await readView(dcs));
      const found = lab.layout.dbHosts.find(
        ({ name }) => primary.kind === 'primary' && name === primary.member.name,
      );
      assert.ok(found !== undefined, 'there is no primary');
      return found;
    } finally {
      await dcs.close();
    }
  }

  async function readLog(host: string): Promise<string> {
    return await readFile(labPaths(lab.folder).log(host, 'patroni'), 'utf8').catch(String);
  }

  /** By the primary itself: what routers were told is true is there. */
  async function nothingLost(): Promise<void> {
    const rows = await askServer(await primaryHost(), 'SELECT n FROM written');
    const present = new Set(rows.map(({ n }) => n));
    assert.ok(acknowledged.length > 0);
    assert.deepEqual(
      acknowledged.filter((n) => !present.has(n)),
      [],
    );
  }

  /** Reads in one session, by the server that answered, in the order of the hosts. */
  async function readsOf(host: AppHost): Promise<readonly number[]> {
    return await withClient({ ...host.router, ...APPLICATION }, async (client) => {
      const counts = new Map<string, number>();
      for (let index = 0; index < READS; index += 1) {
        const { rows } = await client.query<{ readonly at: string }>('SELECT host(inet_server_addr()) AS at');
        const at = rows[0]?.at ?? '';
        counts.set(at, (counts.get(at) ?? 0) + 1);
      }
      return lab.layout.dbHosts.map(({ postgres }) => counts.get(postgres.host) ?? 0);
    });
  }
});

const STREAMING = "SELECT application_name AS name FROM pg_stat_replication WHERE state = 'streaming'";
const { username: user, ...login } = ACCOUNTS.application;
const APPLICATION = { user, ...login };
const SUPERUSER = { user: ACCOUNTS.superuser.username, password: ACCOUNTS.superuser.password };

/** A row with this number, in a session of its own; where it was written. */
async function writtenAt(host: AppHost, n: number): Promise<string> {
  const sql = `INSERT INTO written VALUES (${n}) RETURNING host(inet_server_addr()) AS at`;
  return await withClient({ ...host.router, ...APPLICATION }, async (client) => {
    const { rows } = await client.query<{ readonly at: string }>(sql);
    return rows[0]?.at ?? '';
  });
}

async function askServer(
  { postgres }: DbHost,
  sql: string,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  return await withClient({ ...postgres, ...SUPERUSER, database: APPLICATION.database }, async (client) => {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  });
}

async function withClient<T>(config: pg.ClientConfig, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ ...config, connectionTimeoutMillis: 30_000, query_timeout: 60_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function setting([name, value]: readonly [string, number]): readonly string[] {
  return ['-s', `${name}=${value}`];
}

async function patronictl(file: string, ...args: readonly string[]): Promise<string> {
  const env = { LC_ALL: 'C.UTF-8', PATH: '/usr/bin:/bin', COLUMNS: '200' };
  const { stdout } = await promisify(execFile)('/usr/bin/patronictl', ['-c', file, ...args], { env });
  return stdout;
}
