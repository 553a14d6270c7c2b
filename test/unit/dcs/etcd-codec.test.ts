/** The JSON of etcd's gateway, in both directions, and what its errors mean. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ERROR_TABLE } from '../../../src/base/index.ts';
import {
  encode,
  keepAliveAnswer,
  prefixRange,
  rangeAnswer,
  transactionRequest,
  watchAnswer,
} from '../../../src/dcs/etcd-codec.ts';
import { failureIn } from '../../../src/dcs/etcd-failure.ts';
import { LineReader } from '../../../src/dcs/etcd-lines.ts';
import { DcsError } from '../../../src/dcs/index.ts';

const meaning = (code: number): string => {
  const failure = failureIn(500, { error: 'any words', message: 'any words', code });
  return failure === undefined ? 'none' : `${failure.isDefinite ? 'refused' : 'unknown'} ${failure.reason}`;
};

const codeOf = (reason: ConstructorParameters<typeof DcsError>[1]): string =>
  new DcsError('refused', reason, 'x').code;

const base64 = (bytes: readonly number[]): string => Buffer.from(bytes).toString('base64');

test('a prefix ends where its last byte is one more, and everything where there is no such byte', () => {
  assert.deepEqual(prefixRange('/a/'), { key: encode('/a/'), range_end: encode('/a0') });
  assert.deepEqual(prefixRange('é'), { key: encode('é'), range_end: base64([0xc3, 0xaa]) });
  assert.deepEqual(prefixRange(''), { key: base64([0]), range_end: base64([0]) });
});

test('a transaction becomes compares and operations, the second one nested in the failure branch', () => {
  const request = transactionRequest({
    when: [{ key: 'k', is: 'value', value: 'me' }],
    then: [{ op: 'put', key: 'k', value: 'me', lease: '9223372036854775807' }],
    otherwise: {
      when: [
        { key: 'k', is: 'absent' },
        { key: 'c', is: 'mod-revision', modRevision: 7 },
      ],
      then: [
        { op: 'put', key: 'k', value: '' },
        { op: 'delete', key: 'd' },
      ],
    },
  });
  assert.deepEqual(request, {
    compare: [{ key: 'aw==', target: 'VALUE', result: 'EQUAL', value: 'bWU=' }],
    success: [{ request_put: { key: 'aw==', value: 'bWU=', lease: '9223372036854775807' } }],
    failure: [
      {
        request_txn: {
          compare: [
            { key: 'aw==', target: 'CREATE', result: 'EQUAL', create_revision: '0' },
            { key: 'Yw==', target: 'MOD', result: 'EQUAL', mod_revision: '7' },
          ],
          success: [{ request_put: { key: 'aw==', value: '' } }, { request_delete_range: { key: 'ZA==' } }],
        },
      },
    ],
  });
});

test('revisions become numbers, lease ids keep all their digits, what is left out is zero', () => {
  const kvs = [
    {
      key: 'aw==',
      create_revision: '5',
      mod_revision: '12',
      version: '2',
      value: '4oKs',
      lease: '7587862068423430146',
    },
    { key: 'aw==', create_revision: '5', mod_revision: '12' },
  ];
  const answer = rangeAnswer.parse({ header: { revision: '12', raft_term: '2' }, kvs, count: '2' });
  assert.deepEqual(answer.kvs, [
    { key: 'k', value: '€', createRevision: 5, modRevision: 12, lease: '7587862068423430146' },
    { key: 'k', value: '', createRevision: 5, modRevision: 12, lease: undefined },
  ]);
  assert.equal(answer.header.revision, 12);
  assert.deepEqual(rangeAnswer.parse({ header: { revision: '3' } }).kvs, []);
});

test('a keep-alive of a lease that is gone is an answer without a time to live', () => {
  assert.equal(keepAliveAnswer.parse({ result: { header: {}, ID: '7' } }).result.TTL, 0);
  assert.equal(keepAliveAnswer.parse({ result: { header: {}, ID: '7', TTL: '5' } }).result.TTL, 5);
});

test('a line of a watch holds puts without a type, deletions, and its end', () => {
  const events = [
    { kv: { key: 'aw==', value: 'MQ==', create_revision: '2', mod_revision: '3' } },
    { type: 'DELETE', kv: { key: 'aw==', mod_revision: '4' } },
  ];
  assert.deepEqual(watchAnswer.parse({ result: { header: { revision: '4' }, events } }).result.events, [
    { type: 'put', entry: { key: 'k', value: '1', createRevision: 2, modRevision: 3, lease: undefined } },
    { type: 'delete', key: 'k', modRevision: 4 },
  ]);
  const canceled = { result: { header: { revision: '4' }, canceled: true, compact_revision: '9' } };
  assert.equal(watchAnswer.parse(canceled).result.compact_revision, 9);
});

describe('an answer that is no success', () => {
  test('is certain only for codes with which etcd refuses before it acts', () => {
    assert.deepEqual(
      Object.fromEntries(Array.from({ length: 16 }, (_, index) => [index + 1, meaning(index + 1)])),
      {
        1: 'unknown bad-answer',
        2: 'unknown bad-answer',
        3: 'refused bad-request',
        4: 'unknown no-quorum',
        5: 'refused lease-not-found',
        6: 'refused bad-request',
        7: 'refused not-allowed',
        8: 'refused no-space',
        9: 'refused bad-request',
        10: 'unknown bad-answer',
        11: 'refused compacted',
        12: 'refused bad-request',
        13: 'unknown bad-answer',
        14: 'unknown no-quorum',
        15: 'unknown bad-answer',
        16: 'refused not-allowed',
      },
    );
  });

  test('is found in every form that gateways have given it, also as a line of a stream with status 200', () => {
    const forms = [
      { error: 'x', message: 'x', code: 14 },
      { code: 14, message: 'x', details: [] },
      { error: { grpc_code: 14, http_code: 503, message: 'x', http_status: 'Service Unavailable' } },
      { error: { code: 14, message: 'x', details: [] } },
    ];
    for (const form of forms) assert.equal(failureIn(200, form)?.reason, 'no-quorum');
  });

  test('tells an etcd without its gateway from a lease that is not found: both are 404', () => {
    assert.equal(failureIn(404, undefined)?.reason, 'gateway-disabled');
    assert.equal(failureIn(404, { error: 'x', message: 'x', code: 5 })?.reason, 'lease-not-found');
  });

  test('is what is not JSON, and is not what is', () => {
    assert.equal(failureIn(200, undefined)?.reason, 'bad-answer');
    assert.equal(failureIn(502, {})?.reason, 'bad-answer');
    assert.equal(failureIn(200, { header: { revision: '1' } }), undefined);
  });
});

test('each reason of an error leads to a code with a hint', () => {
  assert.deepEqual(
    [codeOf('timeout'), codeOf('gateway-disabled'), codeOf('lease-not-found')],
    ['dcs-unavailable', 'dcs-gateway-disabled', 'dcs-refused'],
  );
  assert.equal(new DcsError('not-sent', 'timeout', 'x').hint, ERROR_TABLE['dcs-unavailable'].hint);
});

test('lines come out whole, however the bytes were cut', () => {
  const bytes = Buffer.from('{"a":"€"}\n\n{"b":2}\nrest');
  for (let size = 1; size <= bytes.length; size += 1) {
    const lines: string[] = [];
    const reader = new LineReader((line) => lines.push(line));
    for (let from = 0; from < bytes.length; from += size) reader.push(bytes.subarray(from, from + size));
    assert.deepEqual(lines, ['{"a":"€"}', '{"b":2}']);
  }
});
