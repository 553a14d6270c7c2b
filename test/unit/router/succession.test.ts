/** A successor that is started and says nothing: the router goes on without it. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Succession } from '../../../src/router/succession.ts';
import type { Channel } from '../../../src/router/take-over.ts';
import { recordingLog } from '../../support/recording-log.ts';

const SILENCE_MS = 30_000;

/** The other end of a channel is the test. */
class Successor implements Channel {
  readonly pid = 7;
  readonly kill = mock.fn();
  say: (message: unknown) => void = () => undefined;
  close: (how: string) => void = () => undefined;

  async send(): Promise<void> {}

  onMessage(listener: (message: unknown, socket: undefined) => void): void {
    this.say = (message) => listener(message, undefined);
  }

  onClose(listener: (how: string) => void): void {
    this.close = listener;
  }
}

test('a successor that says nothing for 30 s is ended, and the next may try', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { log, lines } = recordingLog();
  const takenOver = mock.fn();
  const failed = mock.fn();
  let successor = new Successor();
  const succession = new Succession({
    log,
    start: () => {
      successor = new Successor();
      return successor;
    },
    sockets: new Map(),
    refusal: () => undefined,
    takenOver,
    failed,
    passOnCancel: () => undefined,
    stop: () => undefined,
  });
  succession.request();
  t.mock.timers.tick(SILENCE_MS - 1);
  successor.say({ kind: 'wants', use: 'clients', address: '127.0.0.1:5432' });
  t.mock.timers.tick(SILENCE_MS - 1);
  assert.equal(successor.kill.mock.callCount(), 0, 'what it says begins the time anew');
  t.mock.timers.tick(1);
  assert.equal(successor.kill.mock.callCount(), 1);
  successor.say({ kind: 'listening' });
  assert.equal(takenOver.mock.callCount(), 0, 'it is too late');
  successor.close('SIGKILL');
  assert.equal(failed.mock.callCount(), 1);
  assert.deepEqual(lines.at(-1), {
    level: 'error',
    event: 'take-over-failed',
    fields: { because: 'it said nothing for 30 s' },
  });

  succession.request();
  successor.say({ kind: 'listening' });
  t.mock.timers.tick(2 * SILENCE_MS);
  assert.equal(takenOver.mock.callCount(), 1);
  assert.equal(successor.kill.mock.callCount(), 0, 'who listens may be silent');
});
