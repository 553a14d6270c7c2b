/** The REST API's documents and the texts of keys, as Patroni's readers expect them. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { clusterDocument, parseLag } from '../../../src/agent/documents.ts';
import { renderStatus } from '../../../src/agent/duties.ts';
import { parseLine, splitLines } from '../../../src/agent/fence-protocol.ts';
import type { KeyValue } from '../../../src/dcs/index.ts';
import { applySnapshot, emptyView, keyLayout } from '../../../src/topology/index.ts';

const layout = keyLayout('service', 'herd');

const key = (name: string, value: object): KeyValue => ({
  key: name,
  value: JSON.stringify(value),
  createRevision: 1,
  modRevision: 2,
  lease: undefined,
});

test('GET /cluster lists the members as patronictl shows them', () => {
  const view = applySnapshot(
    emptyView,
    {
      revision: 5,
      entries: [
        { ...key(layout.leader, {}), value: 'alpha' },
        key(layout.member('alpha'), {
          conn_url: 'postgres://10.0.0.1:5432/postgres',
          api_url: 'http://10.0.0.1:8008/patroni',
          state: 'running',
          role: 'primary',
          xlog_location: 900,
          timeline: 2,
          tags: { datacenter: 'dc1' },
        }),
        key(layout.member('beta'), {
          conn_url: 'postgres://10.0.0.2:5432/postgres',
          api_url: 'http://10.0.0.2:8008/patroni',
          state: 'running',
          role: 'replica',
          xlog_location: 700,
          replication_state: 'streaming',
          timeline: 2,
        }),
        key(layout.status, { optime: 1000 }),
      ],
    },
    layout,
  );
  deepEqual(clusterDocument(view, 'herd'), {
    members: [
      {
        name: 'alpha',
        role: 'leader',
        state: 'running',
        api_url: 'http://10.0.0.1:8008/patroni',
        host: '10.0.0.1',
        port: 5432,
        timeline: 2,
        tags: { datacenter: 'dc1' },
      },
      {
        name: 'beta',
        role: 'replica',
        state: 'streaming',
        api_url: 'http://10.0.0.2:8008/patroni',
        host: '10.0.0.2',
        port: 5432,
        timeline: 2,
        lag: 300,
      },
    ],
    scope: 'herd',
  });
});

test('?lag= takes bytes and units; anything else is no limit that could be met', () => {
  deepEqual(
    ['100', '16kB', '1MB', '2 GB', '', 'many', '-1'].map((text) => parseLag(text)),
    [100, 16_384, 1_048_576, 2_147_483_648, undefined, undefined, undefined],
  );
});

test('the status key keeps what other writers put there', () => {
  equal(renderStatus(undefined, 5), '{"optime":5}');
  equal(
    renderStatus('{"optime":1,"slots":{"a":2},"retain_slots":["a"]}', 5),
    '{"optime":5,"slots":{"a":2},"retain_slots":["a"]}',
  );
  equal(renderStatus('garbage', 5), '{"optime":5}');
});

test('the fence reads whole lines, keeps a cut one, and drops one that has no end', () => {
  deepEqual(splitLines('{"id":1}\n{"id":2}\n{"i'), { lines: ['{"id":1}', '{"id":2}'], rest: '{"i' });
  deepEqual(splitLines('x'.repeat(5000)), { lines: [], rest: '' });
  deepEqual(parseLine('{"id":1}'), { id: 1 });
  deepEqual([parseLine('nonsense'), parseLine('1')], [undefined, undefined]);
});
