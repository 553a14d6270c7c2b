/**
 * Three real agents with `failsafe_mode` over three etcd members, of which two end: the primary goes on while both others pledge,
 * and stops in time when one of them cannot.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { pause } from '../../src/base/index.ts';
import { type Host, sharedLogs, someHosts } from '../support/agents.ts';
import { answered, fieldOf, is, named, statusOf } from '../support/asking-agents.ts';
import { type EtcdCluster, startEtcd } from '../support/etcd.ts';
import { eventually } from '../support/eventually.ts';

const LIMIT = { timeout: 280_000 };
const TTL_MS = 8000;
const MARGIN_MS = 1000;
const WHOLE_MS = 240_000;

describe('failsafe', () => {
  const ends: (() => Promise<void>)[] = [];
  const scope = { after: (end: () => Promise<void>) => void ends.push(end) };
  let hosts: readonly Host[] = [];
  let etcd: EtcdCluster;
  const { watched, showLogs } = sharedLogs(() => hosts);

  before(async () => {
    etcd = await startEtcd(scope, { members: 3 });
    hosts = await someHosts(scope, {
      names: ['alpha', 'beta', 'gamma'],
      etcd: etcd.urls,
      ttl: `${TTL_MS}ms`,
      failsafe: true,
    });
    await watched(async () => {
      alpha().start();
      await eventually('alpha leads', () => statusOf(alpha(), '/primary'), {
        holds: is(200),
        withinMs: WHOLE_MS,
      });
      for (const host of others(alpha())) host.start();
      await whole();
    })();
  });

  after(async () => {
    await showLogs();
    for (const end of ends.reverse()) await end();
  });

  const alpha = (): Host => named(hosts, 'alpha');
  const others = (host: Host): readonly Host[] => hosts.filter((one) => one !== host);

  /** Somebody leads, the others stream from it, and all are listed. */
  const whole = async (): Promise<Host> => {
    const leader = await eventually(
      'a leader',
      async () => {
        for (const host of hosts) if ((await statusOf(host, '/primary')) === 200) return host;
        return undefined;
      },
      { holds: (found) => found !== undefined, withinMs: WHOLE_MS },
    );
    ok(leader !== undefined);
    for (const host of others(leader))
      await eventually(`${host.name} streams`, () => fieldOf(host, 'replication_state'), {
        holds: is('streaming'),
        withinMs: WHOLE_MS,
      });
    const listed = async (): Promise<readonly string[]> =>
      Object.keys((await leader.rest('/failsafe').catch(() => undefined))?.body ?? {});
    await eventually('all are listed', listed, {
      holds: (names) => names.length === hosts.length,
      withinMs: WHOLE_MS,
    });
    return leader;
  };

  const loseQuorum = async (): Promise<void> => {
    for (const member of etcd.members.slice(1)) await member.kill();
  };

  const restoreQuorum = async (): Promise<void> => {
    await Promise.all(etcd.members.slice(1).map(async (member) => await member.start()));
  };

  it(
    'etcd without a quorum for longer than a lease: writes go on, and the leader stays when it is back',
    LIMIT,
    watched(async () => {
      const leader = await whole();
      await answered(() => leader.sql('CREATE TABLE IF NOT EXISTS written (at float)'));
      const timeline = await answered(() => fieldOf(leader, 'timeline'));
      const client = await answered(() => leader.connect());
      await loseQuorum();
      const lostAt = performance.now();
      let isActive = false;
      let rows = 0;
      let longestMs = 0;
      while (performance.now() - lostAt < 2 * TTL_MS) {
        const askedAt = performance.now();
        await client.query('INSERT INTO written VALUES (1)');
        rows += 1;
        longestMs = Math.max(longestMs, performance.now() - askedAt);
        isActive ||= (await fieldOf(leader, 'failsafe_mode_is_active')) === true;
        await pause(50);
      }
      process.stdout.write(
        `# ${rows} rows in ${2 * TTL_MS} ms without a quorum; the slowest ${longestMs} ms\n`,
      );
      ok(isActive);
      equal(await answered(() => statusOf(leader, '/primary')), 200);
      for (const host of others(leader))
        await eventually(`${host.name} has pledged`, () => fieldOf(host, 'failsafe_mode_is_active'), {
          holds: is(true),
          withinMs: TTL_MS,
        });
      await restoreQuorum();
      equal((await whole()).name, leader.name);
      await client.query('INSERT INTO written VALUES (1)');
      await client.end();
      equal(await answered(() => fieldOf(leader, 'timeline')), timeline);
      const counted = await answered(() => leader.sql('SELECT count(*)::int AS n FROM written'));
      deepEqual(counted, [{ n: rows + 1 }]);
    }),
  );

  it(
    'etcd without a quorum for longer than a lease: writes go on, until a member that is listed is silent',
    LIMIT,
    watched(async () => {
      const leader = await whole();
      const [silent] = others(leader);
      ok(silent !== undefined);
      const client = await answered(() => leader.connect());
      await loseQuorum();
      const lostAt = performance.now();
      while (performance.now() - lostAt < 1.2 * TTL_MS) {
        await client.query('INSERT INTO written VALUES (2)');
        await pause(50);
      }
      await silent.killAgent();
      const silentAt = performance.now();
      let lastMs = 0;
      try {
        for (;;) {
          await client.query('INSERT INTO written VALUES (3)');
          lastMs = performance.now() - silentAt;
          await pause(10);
        }
      } catch {
        // The session was cut: PostgreSQL is being stopped.
        await client.end().catch(() => undefined);
      }
      process.stdout.write(`# a member was silent: last write after ${Math.round(lastMs)} ms\n`);
      ok(lastMs < TTL_MS - MARGIN_MS / 2, `${lastMs} ms`);
      ok((await leader.log()).includes('"failsafe-refused"'));
      await eventually('it is no primary', () => statusOf(leader, '/primary'), {
        holds: is(503),
        withinMs: WHOLE_MS,
      });
      silent.start();
      await restoreQuorum();
      await whole();
    }),
  );
});
