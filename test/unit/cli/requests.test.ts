/** Signals as requests: none is lost, and none ends a process. */
import { deepEqual, equal } from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { requestsBy } from '../../../src/cli/requests.ts';

const turn = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve));

test('requests by signal: kept, however many, until somebody listens; told each; ignored after he has left', async () => {
  const signals = new EventEmitter();
  const onRequest = requestsBy('SIGHUP', signals);
  const told: string[] = [];
  signals.emit('SIGHUP');
  signals.emit('SIGHUP');
  signals.emit('SIGUSR2');
  const leave = onRequest(() => told.push('first'));
  equal(told.length, 0, 'not during the call');
  await turn();
  deepEqual(told, ['first']);
  signals.emit('SIGHUP');
  signals.emit('SIGHUP');
  deepEqual(told, ['first', 'first', 'first']);
  leave();
  signals.emit('SIGHUP');
  onRequest(() => told.push('second'));
  await turn();
  deepEqual(told, ['first', 'first', 'first'], 'what came when he had left is not kept');
  equal(signals.listenerCount('SIGHUP'), 1, 'the signal ends no process');
});
