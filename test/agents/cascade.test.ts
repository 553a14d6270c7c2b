/** Three real agents, one of which is told to stream from a standby: from whom it streams, whatever becomes of that. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Host, sharedLogs, someHosts } from '../support/agents.ts';
import { fieldOf, is, named, startInOrder, statusOf } from '../support/asking-agents.ts';
import { startEtcd } from '../support/etcd.ts';
import { eventually } from '../support/eventually.ts';

const LIMIT = { timeout: 120_000 };
const SLOT_MOVED = `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) < 40 * 1024 * 1024 AS moved, active
  FROM pg_replication_slots WHERE slot_name = 'gamma'`;

describe('cascading replication', () => {
  const ends: (() => Promise<void>)[] = [];
  let hosts: readonly Host[] = [];
  const { watched, showLogs } = sharedLogs(() => hosts);
  const host = (name: string): Host => named(hosts, name);

  before(async () => {
    const scope = { after: (end: () => Promise<void>) => void ends.push(end) };
    const etcd = await startEtcd(scope);
    hosts = await someHosts(scope, {
      names: ['alpha', 'beta', 'gamma'],
      etcd: etcd.urls,
      // gamma never leads, so that it is known who does.
      tags: { gamma: { replicatefrom: 'beta', nofailover: true } },
    });
    await startInOrder(host('alpha'), host('beta'), 60_000);
    host('gamma').start();
  });

  after(async () => {
    await showLogs();
    for (const end of ends.reverse()) await end();
  });

  const followers = async (of: string): Promise<readonly unknown[]> =>
    (
      await host(of)
        .sql("SELECT application_name AS name FROM pg_stat_replication WHERE state = 'streaming' ORDER BY 1")
        .catch(() => [])
    ).map(({ name }) => name);

  async function streams(name: string, from: string): Promise<void> {
    await eventually(`${name} streams from ${from}`, () => followers(from), {
      holds: (names) => names.includes(name),
      withinMs: 60_000,
    });
    await eventually(`${name} says that it streams`, () => fieldOf(host(name), 'replication_state'), {
      holds: is('streaming'),
      withinMs: 20_000,
    });
  }

  async function arrives(text: string, from: string): Promise<void> {
    await host(from).sql(`INSERT INTO notes VALUES ('${text}')`);
    const asked = (): Promise<unknown> =>
      host('gamma')
        .sql(`SELECT 1 FROM notes WHERE text = '${text}'`)
        .then(
          (rows) => rows.length,
          () => 0,
        );
    await eventually(`${text} at gamma`, asked, { holds: is(1), withinMs: 20_000 });
  }

  it(
    'a member with the tag replicatefrom streams from that standby, and not from the leader',
    LIMIT,
    watched(async () => {
      await streams('gamma', 'beta');
      deepEqual(await followers('alpha'), ['beta']);
      await host('alpha').sql('CREATE TABLE notes (text text)');
      await arrives('through beta', 'alpha');
    }),
  );

  it(
    'its slot at the leader, which nobody uses, is moved along',
    LIMIT,
    watched(async () => {
      for (let file = 0; file < 4; file += 1)
        await host('alpha').sql(
          "SELECT pg_logical_emit_message(false, 'x', repeat('x', 100)), pg_switch_wal()",
        );
      const [row] = await eventually('the slot has moved', () => host('alpha').sql(SLOT_MOVED), {
        holds: ([slot]) => slot?.['moved'] === true,
        withinMs: 30_000,
      });
      equal(row?.['active'], false);
    }),
  );

  it(
    'when that standby goes away the leader is followed, and the standby again when it is back',
    LIMIT,
    watched(async () => {
      await host('beta').kill();
      await streams('gamma', 'alpha');
      await arrives('without beta', 'alpha');
      host('beta').start();
      await streams('beta', 'alpha');
      await streams('gamma', 'beta');
      await arrives('through beta again', 'alpha');
    }),
  );

  it(
    'when that standby becomes the leader it goes on streaming from it',
    LIMIT,
    watched(async () => {
      await host('alpha').kill();
      await eventually('beta leads', () => statusOf(host('beta'), '/primary'), {
        holds: is(200),
        withinMs: 60_000,
      });
      await streams('gamma', 'beta');
      await arrives('from beta', 'beta');
      const log = await host('gamma').log();
      ok(!log.includes('data-directory-replaced') && !log.includes('rewind-ended'), 'nothing was rebuilt');
    }),
  );
});
