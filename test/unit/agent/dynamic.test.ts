/** The cluster-wide configuration: what counts, and what is said of the rest. */
import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { ignoredKeys, surprisingKeys } from '../../../src/agent/dynamic.ts';
import { changedKeys } from '../../../src/agent/reload.ts';
import { mergeParameters } from '../../../src/postgres/parameters.ts';

test('keys that change nothing are named; those that every first configuration has are not worth a line', () => {
  const config = {
    ttl: 30,
    pause: true,
    failsafe_mode: true,
    maximum_lag_on_failover: 5,
    check_timeline: false,
    colour: 'grey',
    postgresql: {
      use_slots: false,
      pg_hba: [],
      parameters: {
        max_connections: 50,
        port: 5433,
        Cluster_Name: 'x',
        restore_command: 'cp',
        wal_level: 'logical',
      },
    },
  };
  deepEqual(
    ignoredKeys(config).map(({ key }) => key),
    [
      'ttl',
      'check_timeline',
      'colour',
      'postgresql.use_slots',
      'postgresql.parameters.port',
      'postgresql.parameters.Cluster_Name',
    ],
  );
  deepEqual(surprisingKeys({ ttl: 30, loop_wait: 10, retry_timeout: 10, pause: true }), []);
});

test('a host’s own setting comes first, but for those that primary and standbys must agree on', () => {
  deepEqual(
    mergeParameters(
      { max_connections: 100, work_mem: '4MB', shared_buffers: '1GB' },
      { max_connections: 40, work_mem: '8MB', max_wal_senders: 7 },
    ),
    { max_connections: 100, work_mem: '8MB', shared_buffers: '1GB', max_wal_senders: 7 },
  );
  deepEqual(mergeParameters({}, { max_connections: 40 }), { max_connections: 40 });
});

test('a reload knows what a file has changed, by section and key', () => {
  const before = {
    name: 'a',
    tags: { x: 1 },
    lease: { ttl: 5, loop_wait: 1 },
    restapi: { listen: { port: 1 } },
  };
  const after = {
    name: 'a',
    tags: { x: 2 },
    lease: { ttl: 6, loop_wait: 1 },
    restapi: { listen: { port: 1 } },
  };
  deepEqual(changedKeys(before, after), ['lease.ttl', 'tags']);
  deepEqual(changedKeys(before, before), []);
});
