/** The table and the JSON of `matriarch status`, as golden text. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderTable } from '../../../src/base/index.ts';
import { formatLag, renderStatus, statusOf } from '../../../src/cli/status-view.ts';
import { emptyView } from '../../../src/topology/index.ts';
import { aView, threeMembers, type ViewOptions } from '../../support/a-view.ts';

function shown(options: ViewOptions = {}): string {
  return renderStatus(statusOf('main', aView(options)));
}

test('the table shows role, state, timeline, lag, datacenter and tags of each member', () => {
  assert.equal(
    shown(),
    `\
+ Cluster: main (7345678901234567890) -------+----+--------+------------+---------------------------------+
| Member    | Host     | Role    | State     | TL |    Lag | Datacenter | Tags                            |
+-----------+----------+---------+-----------+----+--------+------------+---------------------------------+
| db-fsn-01 | 10.3.0.2 | Replica | streaming |  2 | 3.4 MB | dc3        | nofailover, failover_priority=2 |
| db-sib-01 | 10.1.0.2 | Leader  | running   |  2 |        | dc1        |                                 |
| db-sib-03 | 10.2.0.2 | Replica | streaming |  2 |      0 | dc2        |                                 |
+-----------+----------+---------+-----------+----+--------+------------+---------------------------------+
`,
  );
});

test('ports are shown when they differ from 5432 or hosts repeat', () => {
  const members = {
    a: { role: 'primary' as const, conn_url: 'postgres://10.0.0.1:5433/postgres' },
    b: { conn_url: 'postgres://10.0.0.1:5434/postgres' },
  };
  const table = shown({ members, leader: 'a' });
  assert.match(table, /\| a {6}\| 10\.0\.0\.1:5433 \| Leader {2}\|/);
  assert.match(table, /\| b {6}\| 10\.0\.0\.1:5434 \| Replica \|/);
});

test('what needs attention stands below the table', () => {
  const table = shown({
    leader: undefined,
    config: { pause: true },
    failover: { leader: 'db-sib-01', member: 'db-sib-03' },
    members: { ...threeMembers, 'db-sib-01': { state: 'stopped', role: 'replica' }, odd: 'not json' },
  });
  assert.deepEqual(table.split('\n').slice(-5), [
    '+-----------+----------+---------+-----------------------+----+---------+------------+---------------------------------+',
    ' No primary: no member holds the leader key',
    ' Maintenance mode: on',
    ' Change of leader requested: from db-sib-01 to db-sib-03',
    '',
  ]);
  assert.match(table, /\| odd {7}\| {10}\| {9}\| unreadable \(not-json\) \|/);
  assert.match(table, /\| db-sib-01 \| 10\.1\.0\.2 \| Replica \| stopped {15}\|  2 \| unknown \|/);
});

test('a cluster that was never made has no id and no primary', () => {
  const status = statusOf('main', emptyView);
  assert.equal(status.primary, null);
  assert.equal(
    renderStatus(status),
    `\
+ Cluster: main (uninitialized) ----+-----+------------+------+
| Member | Host | Role | State | TL | Lag | Datacenter | Tags |
+--------+------+------+-------+----+-----+------------+------+
 No primary: no member holds the leader key
`,
  );
});

test('JSON has stable keys, units in them, and null for what is unknown', () => {
  const status = statusOf('main', aView({ members: { 'db-sib-01': threeMembers['db-sib-01'] ?? {} } }));
  assert.deepEqual(status, {
    cluster: 'main',
    system_id: '7345678901234567890',
    leader: 'db-sib-01',
    primary: 'db-sib-01',
    no_primary_because: null,
    timeline: 2,
    paused: false,
    members: [
      {
        name: 'db-sib-01',
        host: '10.1.0.2',
        port: 5432,
        role: 'leader',
        state: 'running',
        timeline: 2,
        lag_bytes: null,
        datacenter: 'dc1',
        tags: {},
      },
    ],
    failover: null,
  });
});

test('a leader that is not promoted yet is no primary, and the reason is told', () => {
  const status = statusOf('main', aView({ leader: 'db-sib-03', term: 20 }));
  assert.deepEqual(
    [status.leader, status.primary, status.no_primary_because],
    ['db-sib-03', null, 'leader-is-standby'],
  );
});

test('lag is written in the unit that fits', () => {
  const written = [null, 0, 512, 12_288, 3_565_568, 1_288_490_189].map(formatLag);
  assert.deepEqual(written, ['unknown', '0', '512 B', '12 kB', '3.4 MB', '1.2 GB']);
});

test('a heading longer than its table closes its own frame', () => {
  assert.equal(
    renderTable([{ title: 'A' }], [['1']], 'a long heading'),
    '+ a long heading +\n| A |\n+---+\n| 1 |\n+---+\n',
  );
});
