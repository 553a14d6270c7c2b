/** The router's metrics of pools and phases, from values. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Latencies } from '../../../src/router/latencies.ts';
import { poolSamples } from '../../../src/router/pool-samples.ts';
import { aPool, someFacts } from '../../support/admin-facts.ts';

test('pools are metrics by database, node, datacenter and role; the roles of clients are added up', () => {
  const { nodes } = someFacts();
  const pools = [
    aPool({ active: 1, tested: 1, waiting: 2, oldestWaitMs: 1500 }),
    aPool({ user: 'batch', active: 2, idle: 3, opening: 1, waiting: 1, oldestWaitMs: 500 }),
    aPool({ node: 'gone' }),
  ];
  const samples = poolSamples({ pools, nodes });
  const labels = { database: 'app', member: 'db-sib-01', datacenter: 'dc1', role: 'primary' };
  assert.deepEqual(samples.slice(0, 5), [
    { name: 'matriarch_router_pool_servers', labels: { ...labels, state: 'active' }, value: 4 },
    { name: 'matriarch_router_pool_servers', labels: { ...labels, state: 'idle' }, value: 3 },
    { name: 'matriarch_router_pool_servers', labels: { ...labels, state: 'login' }, value: 1 },
    { name: 'matriarch_router_pool_waiting', labels, value: 3 },
    { name: 'matriarch_router_pool_oldest_wait_seconds', labels, value: 1.5 },
  ]);
  assert.equal(samples.length, 10);
  assert.deepEqual(samples[5]?.labels, {
    database: 'app',
    member: 'gone',
    datacenter: '',
    role: 'unknown',
    state: 'active',
  });
});

test('a phase at a node has one histogram, which is found once and observed often', () => {
  const latencies = new Latencies();
  const queue = latencies.at('db-sib-01').queue.read;
  assert.equal(latencies.at('db-sib-01').queue.read, queue);
  assert.notEqual(latencies.at('db-sib-01').queue.write, queue);
  queue.observe(2);
  queue.observe(0.1);
  latencies.at('db-sib-01').server.write.observe(1);
  const [first, second] = latencies.samples(() => 'dc1');
  assert.deepEqual(first?.labels, { phase: 'queue', member: 'db-sib-01', datacenter: 'dc1', role: 'read' });
  assert.deepEqual(typeof first?.value === 'object' && first.value.count, 2);
  assert.deepEqual(second?.labels?.['phase'], 'server');
  assert.deepEqual(typeof second?.value === 'object' && second.value.count, 1);
});
