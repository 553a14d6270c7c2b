/**
 * Two real agents over one etcd member, their data directories behind symbolic links: what happens to a primary and its
 * data when a part of its world fails.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Client } from 'pg';
import { ERROR_TABLE, silentLog, systemClock } from '../../src/base/index.ts';
import { connectEtcd, type Dcs } from '../../src/dcs/index.ts';
import { keyLayout } from '../../src/topology/index.ts';
import { type Host, sharedLogs, someHosts } from '../support/agents.ts';
import { type EtcdCluster, startEtcd } from '../support/etcd.ts';
import { eventually } from '../support/eventually.ts';

const layout = keyLayout('/service/', 'herd');
const call = { timeoutMs: 2000 };
const LIMIT = { timeout: 60_000 };

describe('an agent in trouble', () => {
  const ends: (() => Promise<void>)[] = [];
  let etcd: EtcdCluster;
  let dcs: Dcs;
  let first: Host;
  let second: Host;
  const { watched, showLogs } = sharedLogs(() => [first, second]);

  before(async () => {
    const scope = { after: (end: () => Promise<void>) => void ends.push(end) };
    etcd = await startEtcd(scope);
    dcs = connectEtcd(
      { endpoints: etcd.urls, request_timeout: 2000 },
      { clock: systemClock, log: silentLog },
    );
    const hosts = await someHosts(scope, { names: ['one', 'two'], etcd: etcd.urls, linked: true });
    [first, second] = [at(hosts, 0), at(hosts, 1)];
    first.start();
    await isPrimary(first, 30_000);
  });

  after(async () => {
    await showLogs();
    await dcs.close();
    for (const end of ends.reverse()) await end();
  });

  it(
    'a clone that is killed half-way is thrown away and made again',
    LIMIT,
    watched(async () => {
      second.start();
      await eventually('the clone has begun', () => second.rest('/patroni').catch(() => undefined), {
        holds: (answer) => answer?.body['state'] === 'creating replica',
        withinMs: 15_000,
      });
      await second.kill();
      second.start();
      await streams(second);
      const log = await second.log();
      ok(log.includes('discard-data') || log.split('"do":"clone"').length > 2, 'it was cloned again');
    }),
  );

  it(
    'the REST API answers while PostgreSQL hangs',
    LIMIT,
    watched(async () => {
      const pids = await second.serverPids();
      for (const pid of pids) process.kill(pid, 'SIGSTOP');
      try {
        const askedAt = performance.now();
        const answer = await second.rest('/patroni');
        const tookMs = performance.now() - askedAt;
        equal(answer.status, 200);
        ok(tookMs < 1000, `${tookMs} ms`);
      } finally {
        for (const pid of pids) process.kill(pid, 'SIGCONT');
      }
      await streams(second);
    }),
  );

  it(
    'a primary that cannot reach etcd stops writing before its lease ends, serves reads, and leads again later',
    LIMIT,
    watched(async () => {
      const [member] = etcd.members;
      ok(member !== undefined);
      await first.sql('CREATE TABLE written (at float)');
      const client = await first.connect();
      let lastMs = 0;
      const frozenAt = performance.now();
      await member.freeze();
      try {
        while (await writes(client)) lastMs = performance.now() - frozenAt;
        await client.end().catch(() => undefined);
        await eventually(
          'it serves reads as a standby',
          () => first.sql('SELECT pg_is_in_recovery() AS standby').catch(() => []),
          { holds: (rows) => rows[0]?.['standby'] === true, withinMs: 10_000 },
        );
        equal((await first.rest('/primary')).status, 503);
        // Its agent learns a little later than its clients that it is up.
        await eventually('a balancer may send reads', async () => (await first.rest('/replica')).status, {
          holds: (status) => status === 200,
          withinMs: 2000,
        });
      } finally {
        member.thaw();
      }
      process.stdout.write(
        `# etcd frozen: last write after ${Math.round(lastMs)} ms of a lease of 5000 ms\n`,
      );
      ok(lastMs < 4100, `${lastMs} ms`);
      const leader = await someoneLeads();
      await streams(leader === first ? second : first);
    }),
  );

  it(
    'rows that only the dead primary had are rewound away when it returns',
    LIMIT,
    watched(async () => {
      const leader = await someoneLeads();
      const standby = leader === first ? second : first;
      await leader.sql('CREATE TABLE forked (id int)');
      await eventually(
        'the standby has the table',
        () => standby.sql('SELECT * FROM forked').catch(() => undefined),
        {
          holds: (rows) => rows !== undefined,
          withinMs: 5000,
        },
      );
      const pids = await standby.serverPids();
      for (const pid of pids) process.kill(pid, 'SIGSTOP');
      // Else what is written next would wait for the standby in the kernel's buffers.
      await leader.sql('SELECT pg_terminate_backend(pid) FROM pg_stat_replication');
      await leader.sql('INSERT INTO forked SELECT generate_series(1, 100)');
      await leader.kill();
      for (const pid of pids) process.kill(pid, 'SIGCONT');
      await isPrimary(standby, 12_000);
      await standby.sql('INSERT INTO forked VALUES (1000)');
      leader.start();
      await streams(leader);
      await eventually(
        'both have the same rows',
        () => leader.sql('SELECT id FROM forked ORDER BY id').catch(() => []),
        {
          holds: (rows) => JSON.stringify(rows) === '[{"id":1000}]',
          withinMs: 10_000,
        },
      );
      ok(/"outcome":"done"[^\n]*"rewind-ended"/.test(await leader.log()));
    }),
  );

  it(
    'where pg_rewind cannot work, the member is cloned anew instead of being stuck',
    LIMIT,
    watched(async () => {
      const leader = await someoneLeads();
      const standby = leader === first ? second : first;
      await leader.kill();
      await isPrimary(standby, 12_000);
      await standby.sql("ALTER ROLE rewind_user PASSWORD 'changed by somebody'");
      leader.start();
      await streams(leader);
      const log = await leader.log();
      ok(log.includes('agent-job-failed') && log.includes('data-directory-replaced'));
      await standby.sql("ALTER ROLE rewind_user PASSWORD 'rewind_user-secret'");
    }),
  );

  it(
    'an agent that dies and does not come back: its fence stops the primary, in a data directory that is a link too',
    LIMIT,
    watched(async () => {
      const leader = await someoneLeads();
      await leader.killAgent();
      const killedAt = performance.now();
      await eventually('nothing of PostgreSQL is left', () => leader.serverPids(), {
        holds: (pids) => pids.length === 0,
        withinMs: 6000,
      });
      const tookMs = performance.now() - killedAt;
      ok(tookMs < 5000, `${tookMs} ms`);
      await eventually('the fence has ended', () => leader.pids(), {
        holds: (pids) => pids.length === 0,
        withinMs: 6000,
      });
      leader.start();
      await streams(leader);
    }),
  );

  it(
    'a standby whose agent dies goes on streaming, and is adopted',
    LIMIT,
    watched(async () => {
      const leader = await someoneLeads();
      const standby = leader === first ? second : first;
      const postmaster = await standby.postmasterPid();
      await standby.killAgent();
      // Its WAL sender may still be catching up where the receiver says that it streams.
      await eventually(
        'it streams',
        () => leader.sql("SELECT count(*)::int AS n FROM pg_stat_replication WHERE state = 'streaming'"),
        { holds: (rows) => rows[0]?.['n'] === 1, withinMs: 5000 },
      );
      standby.start();
      await streams(standby);
      equal(await standby.postmasterPid(), postmaster);
    }),
  );

  it(
    'a standby that cannot have a fence does not become primary',
    LIMIT,
    watched(async () => {
      const leader = await someoneLeads();
      const standby = leader === first ? second : first;
      await standby.kill();
      await standby.blockFence();
      standby.start();
      await streams(standby);
      await leader.kill();
      await eventually('it won the key and gave it back', () => standby.log(), {
        holds: (log) => log.includes('promotion-failed'),
        withinMs: 15_000,
      });
      ok((await standby.log()).includes('fence-unavailable'));
      deepEqual(await standby.sql('SELECT pg_is_in_recovery() AS standby'), [{ standby: true }]);
      leader.start();
      await isPrimary(leader, 30_000);
      await streams(standby);
    }),
  );

  it(
    'a data directory of another cluster is refused with a clear error, and the agent ends',
    LIMIT,
    watched(async () => {
      const leader = await someoneLeads();
      const standby = leader === first ? second : first;
      await leader.stop();
      await standby.stop();
      await dcs.transact(
        { when: [], then: [{ op: 'put', key: layout.initialize, value: '7000000000000000001' }] },
        call,
      );
      first.start();
      await eventually('the agent ended', () => first.exitCode, {
        holds: (code) => code !== null,
        withinMs: 10_000,
      });
      equal(first.exitCode, ERROR_TABLE['system-id-mismatch'].exit);
      ok((await first.log()).includes('system identifier'));
      deepEqual(await first.serverPids(), []);
    }),
  );

  it(
    'a foreign folder in place of the data directory is left alone',
    LIMIT,
    watched(async () => {
      await first.kill();
      await first.replaceDataDir(async (folder) => {
        await mkdir(folder, { recursive: true });
        await writeFile(join(folder, 'thesis.txt'), 'do not lose');
      });
      first.start();
      await eventually('it says what is wrong', () => first.rest('/patroni').catch(() => undefined), {
        holds: (answer) => JSON.stringify(answer?.body ?? '').includes('data-directory-unreadable'),
        withinMs: 10_000,
      });
      equal(await first.fileText('thesis.txt'), 'do not lose');
    }),
  );

  const someoneLeads = async (): Promise<Host> => {
    const found = await eventually(
      'somebody leads',
      async () => ((await isLeading(first)) ? first : (await isLeading(second)) ? second : undefined),
      { holds: (host) => host !== undefined, withinMs: 20_000 },
    );
    ok(found !== undefined);
    return found;
  };
});

async function isPrimary(host: Host, withinMs: number): Promise<void> {
  await eventually(`${host.name} is primary`, () => host.rest('/primary').catch(() => undefined), {
    holds: (answer) => answer?.status === 200,
    withinMs,
  });
}

async function streams(host: Host): Promise<void> {
  await eventually(`${host.name} streams`, () => host.rest('/patroni').catch(() => undefined), {
    holds: (answer) => answer?.body['replication_state'] === 'streaming',
    withinMs: 30_000,
  });
}

function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  ok(found !== undefined);
  return found;
}

/** False when the session was cut. */
async function writes(client: Client): Promise<boolean> {
  return await client.query('INSERT INTO written VALUES (1)').then(
    () => true,
    () => false,
  );
}

async function isLeading(host: Host): Promise<boolean> {
  return (await host.rest('/primary').catch(() => undefined))?.status === 200;
}
