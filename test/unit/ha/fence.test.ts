/** The fence's arithmetic and machine: what it promises holds for any order of messages and any delay. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Blow,
  type FenceEvent,
  type FenceState,
  fenceDeadline,
  idleFence,
  keepsTimer,
  stepFence,
  strikePlan,
} from '../../../src/ha/index.ts';

const marginMs = 1000;

/** Runs events at given instants; collects the blows with their time. */
function run(events: readonly (readonly [number, FenceEvent])[], from: FenceState = idleFence) {
  let state = from;
  const blows: (readonly [number, Blow])[] = [];
  for (const [now, event] of events) {
    const step = stepFence(state, event, { now, marginMs });
    state = step.state;
    if (step.blow !== undefined) blows.push([now, step.blow]);
  }
  return { state, blows };
}

test('the deadline is the sending plus the lease less the margin', () => {
  equal(fenceDeadline({ sentAt: 10_000, ttlMs: 5000, marginMs }), 14_000);
});

test('the blows rise from a fast stop to SIGKILL inside the margin', () => {
  deepEqual(strikePlan(marginMs), [
    { afterMs: 0, blow: 'SIGINT' },
    { afterMs: 300, blow: 'SIGQUIT' },
    { afterMs: 500, blow: 'SIGKILL' },
  ]);
});

test('an armed fence strikes at its deadline, harder and harder, until the server is gone', () => {
  const { state, blows } = run([
    [0, { type: 'arm', deadline: 100 }],
    [99, { type: 'tick' }],
    [100, { type: 'tick' }],
    [399, { type: 'tick' }],
    [400, { type: 'tick' }],
    [600, { type: 'tick' }],
    [620, { type: 'tick' }],
    [640, { type: 'server-gone' }],
  ]);
  deepEqual(blows, [
    [100, 'SIGINT'],
    [400, 'SIGQUIT'],
    [600, 'SIGKILL'],
    [620, 'SIGKILL'],
  ]);
  deepEqual(state, idleFence);
});

test('a fence that itself was frozen past everything goes straight to SIGKILL', () => {
  const { blows } = run([
    [0, { type: 'arm', deadline: 100 }],
    [5000, { type: 'tick' }],
  ]);
  deepEqual(blows, [[5000, 'SIGKILL']]);
});

test('a strike that has begun is not called off by an agent that wakes up', () => {
  const { state, blows } = run([
    [0, { type: 'arm', deadline: 100 }],
    [100, { type: 'tick' }],
    [150, { type: 'disarm' }],
    [160, { type: 'arm', deadline: 9000 }],
    [600, { type: 'tick' }],
  ]);
  equal(state.is, 'striking');
  deepEqual(blows.at(-1), [600, 'SIGKILL']);
});

test('a disarmed fence does not strike', () => {
  const { blows } = run([
    [0, { type: 'arm', deadline: 100 }],
    [50, { type: 'disarm' }],
    [500, { type: 'tick' }],
  ]);
  deepEqual(blows, []);
});

const anEvent = fc.oneof(
  fc.record({ type: fc.constant('arm' as const), deadline: fc.integer({ min: 0, max: 20_000 }) }),
  fc.record({ type: fc.constantFrom('disarm' as const, 'tick' as const, 'server-gone' as const) }),
);

test('property: while armed, the deadline only moves on, and is never later than the latest that was asked for', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 500 }), anEvent)), (script) => {
      let now = 0;
      let state = idleFence;
      let latest = 0;
      for (const [afterMs, event] of script) {
        now += afterMs;
        const before = state;
        state = stepFence(state, event, { now, marginMs }).state;
        if (event.type === 'arm') latest = Math.max(latest, event.deadline);
        if (before.is === 'armed' && state.is === 'armed') ok(state.deadline >= before.deadline);
        if (state.is === 'armed') ok(state.deadline <= latest && state.deadline > now);
      }
    }),
  );
});

test('property: with its timer kept, an armed fence ends in SIGKILL before the lease does, whatever is said meanwhile', () => {
  const talk = fc.array(
    fc.tuple(
      fc.integer({ min: 0, max: 900 }),
      fc.constantFrom<FenceEvent>({ type: 'arm', deadline: 50_000 }, { type: 'disarm' }),
    ),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), talk, (sentAt, messages) => {
      const ttlMs = 5000;
      const deadline = fenceDeadline({ sentAt, ttlMs, marginMs });
      let state: FenceState = stepFence(
        idleFence,
        { type: 'arm', deadline },
        { now: sentAt, marginMs },
      ).state;
      let killedAt = Number.POSITIVE_INFINITY;
      for (
        let now = deadline;
        now < deadline + marginMs && killedAt === Number.POSITIVE_INFINITY;
        now += 20
      ) {
        const said =
          now === deadline
            ? []
            : messages
                .filter(([at]) => deadline + at >= now - 20 && deadline + at < now)
                .map(([, event]) => event);
        for (const event of [...said, { type: 'tick' } as const]) {
          const step = stepFence(state, event, { now, marginMs });
          state = step.state;
          if (step.blow === 'SIGKILL') killedAt = now;
        }
      }
      ok(killedAt <= sentAt + ttlMs - marginMs / 4, `${killedAt}`);
    }),
  );
});

test('what is said to a fence that strikes does not put off its next blow', () => {
  const armed = { is: 'armed', deadline: 1000 } as const;
  const striking = { is: 'striking', deadline: 1000, nextBlow: 1 } as const;
  for (const event of [{ type: 'arm', deadline: 9000 }, { type: 'disarm' }] as const)
    equal(keepsTimer(striking, event, stepFence(striking, event, { now: 1100, marginMs: 1000 }).state), true);
  equal(keepsTimer(striking, { type: 'tick' }, striking), false);
  equal(keepsTimer(armed, { type: 'arm', deadline: 1000 }, striking), false, 'a first blow begins a timer');
  equal(keepsTimer(striking, { type: 'server-gone' }, idleFence), false);
});
