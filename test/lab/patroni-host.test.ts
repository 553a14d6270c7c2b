/**
 * A cluster of Debian's Patroni, on real etcd, one of whose hosts changes to our agent with the same file and the same data
 * directory: it follows, leads, and follows again; Patroni's member does the opposite. The tests run in order.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { connectEtcd, type Dcs } from '../../src/dcs/index.ts';
import { keyLayout } from '../../src/topology/index.ts';
import { startEtcd } from '../support/etcd.ts';
import { eventually } from '../support/eventually.ts';
import { hasPatroni, NAMESPACE, type PatroniHost, patroniHosts, SCOPE } from '../support/patroni.ts';

const layout = keyLayout(NAMESPACE, SCOPE);
const call = { timeoutMs: 2000 };
const LIMIT = { timeout: 300_000 };
/** A machine that does much else is waited for. */
const PATIENCE_MS = 120_000;

interface Scope {
  readonly after: (end: () => Promise<void>) => void;
}

describe('a host changes from Patroni', { skip: hasPatroni ? false : 'there is no Patroni' }, () => {
  const ends: (() => Promise<void>)[] = [];
  const scope: Scope = { after: (end) => void ends.push(end) };
  let hosts: readonly PatroniHost[] = [];
  let dcs: Dcs;
  let failed = false;
  /** Whose manager changes, and who stays with Patroni. */
  let mine: PatroniHost;
  let theirs: PatroniHost;
  /** Joins with nothing. */
  let newcomer: PatroniHost;

  before(async () => {
    const etcd = await startEtcd(scope);
    dcs = connectEtcd(
      { endpoints: etcd.urls, request_timeout: 2000 },
      { clock: systemClock, log: silentLog },
    );
    hosts = await patroniHosts(scope, { names: ['alpha', 'beta', 'gamma'], etcd: etcd.urls[0] ?? '' });
  });

  after(async () => {
    if (failed) for (const host of hosts) process.stdout.write(await host.log());
    await dcs.close();
    for (const end of ends.reverse()) await end();
  });

  it(
    'Patroni makes a cluster of two',
    LIMIT,
    step(async () => {
      const [first, second, third] = hosts;
      ok(first !== undefined && second !== undefined && third !== undefined);
      first.startPatroni();
      second.startPatroni();
      newcomer = third;
      const leader = await eventually('a leader', leaderKey, {
        holds: (name) => name !== undefined,
        withinMs: PATIENCE_MS,
      });
      [theirs, mine] = leader === first.name ? [first, second] : [second, first];
      await follows(mine, theirs);
      await theirs.sql('CREATE TABLE t (n int)');
      await writes(theirs, 1);
    }),
  );

  it(
    'the agent takes a running standby over, without a restart of PostgreSQL',
    LIMIT,
    step(async () => {
      await mine.killManager();
      const postmaster = await mine.postmasterPid();
      mine.startMatriarch();
      await eventually('the agent publishes the member', () => member(mine), {
        holds: (json) => json['version'] === '3.3.0' && json['state'] === 'running',
        withinMs: PATIENCE_MS,
      });
      await follows(mine, theirs);
      equal(await mine.postmasterPid(), postmaster);
      await writes(theirs, 2);
    }),
  );

  it(
    'SIGHUP reads the file again',
    LIMIT,
    step(async () => {
      await mine.retag({ clonefrom: true, rack: 7 });
      await eventually('the member has the new tag', () => member(mine), {
        holds: ({ tags }) =>
          JSON.stringify(tags) === `{"clonefrom":true,"rack":7,"datacenter":"${mine.name}"}`,
        withinMs: PATIENCE_MS,
      });
    }),
  );

  it(
    'it leads after a switchover, and the member of Patroni follows it',
    LIMIT,
    step(async () => {
      await switchOver(theirs, mine);
      await follows(theirs, mine);
      await writes(mine, 3);
      const patroni = await theirs.rest('/patroni');
      equal(patroni['role'], 'replica');
    }),
  );

  it(
    'a member of Patroni that has nothing joins the cluster that the agent leads',
    LIMIT,
    step(async () => {
      newcomer.startPatroni();
      await follows(newcomer, mine);
      await newcomer.wipe();
    }),
  );

  it(
    'an agent that was killed finds its primary again, unless its fence was faster',
    LIMIT,
    step(async () => {
      const postmaster = await mine.postmasterPid();
      await mine.killManager();
      mine.startMatriarch();
      const { leader } = await eventually(
        'the agent or Patroni leads',
        async () => ({
          leader: await leaderKey(),
          isPrimary: (await mine.rest('/primary'))['status'] === 200,
        }),
        { holds: (seen) => seen.isPrimary || seen.leader === theirs.name, withinMs: PATIENCE_MS },
      );
      if (leader === mine.name) equal(await mine.postmasterPid(), postmaster);
      else {
        await follows(mine, theirs);
        await switchOver(theirs, mine);
      }
      await follows(theirs, mine);
      await writes(mine, 4);
    }),
  );

  it(
    'Patroni leads again after a switchover back, and the agent follows it',
    LIMIT,
    step(async () => {
      await switchOver(mine, theirs);
      await follows(mine, theirs);
      await writes(theirs, 5);
      deepEqual(await mine.sql('SELECT count(*)::int AS n FROM t'), [{ n: 5 }]);
    }),
  );

  it(
    'an agent that has nothing joins the cluster that Patroni leads',
    LIMIT,
    step(async () => {
      newcomer.startMatriarch();
      await follows(newcomer, theirs);
      deepEqual(await newcomer.sql('SELECT count(*)::int AS n FROM t'), [{ n: 5 }]);
    }),
  );

  it(
    'the host of Patroni’s leader dies: one of the agents leads, and the other follows it',
    LIMIT,
    step(async () => {
      await theirs.kill();
      const leader = await eventually('another leader', leaderKey, {
        holds: (name) => name === mine.name || name === newcomer.name,
        withinMs: PATIENCE_MS,
      });
      const isMine = leader === mine.name;
      await follows(isMine ? newcomer : mine, isMine ? mine : newcomer);
      theirs.startPatroni();
      await follows(theirs, isMine ? mine : newcomer);
    }),
  );

  it(
    'SIGTERM stops the agent and PostgreSQL, and Patroni takes the directory back',
    LIMIT,
    step(async () => {
      const leader = (await leaderKey()) === mine.name ? newcomer : mine;
      equal(await mine.stop(), 0);
      equal(await mine.postmasterPid(), undefined);
      mine.startPatroni();
      await eventually(`${leader.name} or Patroni leads`, leaderKey, {
        holds: (name) => name !== undefined && name !== mine.name,
        withinMs: PATIENCE_MS,
      });
      const name = await leaderKey();
      const primary = hosts.find((host) => host.name === name);
      ok(primary !== undefined);
      await follows(mine, primary);
    }),
  );

  /** The first failure shows the logs, and leaves nothing to the steps behind it. */
  function step(work: () => Promise<void>): () => Promise<void> {
    return async () => {
      ok(!failed, 'a step before this one failed');
      failed = true;
      await work();
      failed = false;
    };
  }

  async function leaderKey(): Promise<string | undefined> {
    return (await dcs.get(layout.leader, call))?.value;
  }

  async function member(host: PatroniHost): Promise<Readonly<Record<string, unknown>>> {
    const json: unknown = JSON.parse((await dcs.get(layout.member(host.name), call))?.value ?? '{}');
    return typeof json === 'object' && json !== null ? { ...json } : {};
  }

  /** By the key that patronictl writes too. */
  async function switchOver(from: PatroniHost, to: PatroniHost): Promise<void> {
    const value = JSON.stringify({ leader: from.name, member: to.name });
    await dcs.transact({ when: [], then: [{ op: 'put', key: layout.failover, value }] }, call);
    await eventually(`${to.name} leads`, leaderKey, {
      holds: (name) => name === to.name,
      withinMs: PATIENCE_MS,
    });
  }

  async function follows(standby: PatroniHost, primary: PatroniHost): Promise<void> {
    await eventually(
      `${standby.name} streams from ${primary.name}`,
      async () => ({
        leader: await leaderKey(),
        from: await standby
          .sql("SELECT sender_host AS host FROM pg_stat_wal_receiver WHERE status = 'streaming'")
          .catch((cause: unknown) => [{ host: String(cause) }]),
        to: await primary
          .sql("SELECT application_name AS name FROM pg_stat_replication WHERE state = 'streaming'")
          .catch(() => []),
      }),
      {
        holds: ({ leader, from, to }) =>
          leader === primary.name &&
          from[0]?.['host'] === primary.address &&
          to.some(({ name }) => name === standby.name),
        withinMs: PATIENCE_MS,
      },
    );
  }

  /** A row that arrives at the other member. */
  async function writes(primary: PatroniHost, n: number): Promise<void> {
    const insert = (): Promise<string> => primary.sql(`INSERT INTO t VALUES (${n})`).then(() => '', String);
    await eventually('the primary takes writes', insert, {
      holds: (error) => error === '',
      withinMs: PATIENCE_MS,
    });
    const other = primary === mine ? theirs : mine;
    await eventually(
      'the standby has the row',
      async () => await other.sql(`SELECT n FROM t WHERE n = ${n}`).catch(() => []),
      { holds: (rows) => rows.length > 0, withinMs: PATIENCE_MS },
    );
  }
});
