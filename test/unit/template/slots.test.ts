/** Numbers of members: who has one keeps it, who is away too, and who is new gets the next. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cluster, ClusterMember } from '../../../src/template/cluster/cluster.ts';
import { slotsOf } from '../../../src/template/cluster/slots.ts';

const member = (name: string, host = `${name}.example`): ClusterMember => ({
  name,
  role: 'replica',
  state: 'running',
  lag: 0,
  datacenter: 'dc1',
  host,
  port: 5432,
  weight: 10,
  isClosed: false,
});
const cluster = (...members: ClusterMember[]): Cluster => ({
  scope: 'main',
  datacenter: 'dc1',
  leader: undefined,
  primary: { because: 'nobody leads' },
  members,
});
const numbered = (of: Cluster, inPlace: string): string[] =>
  slotsOf(of, inPlace).map(({ slot, name, host, port, state, weight }) =>
    [slot, name, host, port, state, weight].join(' '),
  );

test('where nothing is remembered, members are numbered by name', () => {
  assert.deepEqual(numbered(cluster(member('a'), member('b')), 'garbage'), [
    '0 a a.example 5432 running 10',
    '1 b b.example 5432 running 10',
  ]);
});

test('numbers and gaps are kept, who is away keeps the address, and a new member gets the next number', () => {
  const inPlace = '# slot 3 b old.example 5433 up primary\n# slot 0 gone gone.example 6000 up\n';
  assert.deepEqual(numbered(cluster(member('a'), member('b')), inPlace), [
    '0 gone gone.example 6000 gone 0',
    '3 b b.example 5432 running 10',
    '4 a a.example 5432 running 10',
  ]);
});
