/** What two routers of different versions may say to each other during a take-over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMessage, type TakeOverMessage } from '../../../src/router/take-over.ts';

const MESSAGES: readonly TakeOverMessage[] = [
  { kind: 'wants', use: 'clients', address: '127.0.0.1:5432' },
  { kind: 'socket', use: 'http' },
  { kind: 'listening' },
  { kind: 'failed', because: 'it rains' },
  { kind: 'cancel', processId: 7, secretKey: '00ff' },
  { kind: 'stopping' },
];

test('each message is read as it was sent, and what another version adds is left out', () => {
  for (const message of MESSAGES) {
    const sent: unknown = JSON.parse(JSON.stringify({ ...message, added: 1 }));
    assert.deepEqual(readMessage(sent), message);
  }
});

test('what is not a message is ignored', () => {
  const none = [
    undefined,
    null,
    'listening',
    {},
    { kind: 'new' },
    { kind: 'wants', use: 'smtp', address: 'x' },
  ];
  const half = [
    { kind: 'wants', use: 'http' },
    { kind: 'failed' },
    { kind: 'cancel', processId: '7', secretKey: '' },
  ];
  for (const value of [...none, ...half]) assert.equal(readMessage(value), undefined);
});
