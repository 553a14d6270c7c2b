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

  before(async () => {
    const etcd = await startEtcd(scope);
    dcs = connectEtcd(
      { endpoints: etcd.urls, request_timeout: 2000 },
      { clock: systemClock, log: silentLog },
    );
    hosts = await patroniHosts(scope, { names: ['alpha', 'beta'], etcd: etcd.urls[0] ?? '' });
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
      for (const host of hosts) host.startPatroni();
      const leader = await eventually('a leader', leaderKey, {
        holds: (name) => name !== undefined,
        withinMs: PATIENCE_MS,
      });
      const [first, second] = hosts;
      ok(first !== undefined && second !== undefined);
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
    'an agent that was killed finds its primary again',
    LIMIT,
    step(async () => {
      const postmaster = await mine.postmasterPid();
      await mine.killManager();
      mine.startMatriarch();
      await eventually('the agent leads', () => mine.rest('/primary'), {
        holds: ({ status }) => status === 200,
        withinMs: PATIENCE_MS,
      });
      equal(await mine.postmasterPid(), postmaster);
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
    'SIGTERM stops the agent and PostgreSQL, and Patroni takes the directory back',
    LIMIT,
    step(async () => {
      equal(await mine.stop(), 0);
      equal(await mine.postmasterPid(), undefined);
      mine.startPatroni();
      await follows(mine, theirs);
      await writes(theirs, 6);
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
        streaming: await primary
          .sql("SELECT application_name AS name FROM pg_stat_replication WHERE state = 'streaming'")
          .catch((cause: unknown) => String(cause)),
      }),
      {
        holds: ({ leader, streaming }) =>
          leader === primary.name &&
          typeof streaming !== 'string' &&
          streaming.some(({ name }) => name === standby.name),
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
    const other = hosts.find((host) => host !== primary);
    await eventually(
      'the standby has the row',
      async () => await other?.sql(`SELECT n FROM t WHERE n = ${n}`).catch(() => []),
      { holds: (rows) => rows !== undefined && rows.length > 0, withinMs: PATIENCE_MS },
    );
  }
});
