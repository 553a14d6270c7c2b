/** Whether a node is fit for reads: what sends it out, what lets it back, and how gradually. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type HealthEvent,
  healthShare,
  judgePosition,
  nextHealth,
  type NodeHealth,
  slowBoundMs,
  unknownHealth,
} from '../../../src/routing/index.ts';
import { aPosition } from '../../support/position.ts';

const CLEAR: HealthEvent = { kind: 'answered', finding: { against: undefined, isClear: true } };
/** Within the bounds, not within half of them. */
const NEARLY: HealthEvent = { kind: 'answered', finding: { against: undefined, isClear: false } };
const LAGGING: HealthEvent = { kind: 'answered', finding: { against: 'lagging', isClear: false } };
const SLOW: HealthEvent = { kind: 'answered', finding: { against: 'slow', isClear: false } };
const SILENT: HealthEvent = { kind: 'silent' };
const REFUSED: HealthEvent = { kind: 'connect-failed' };
const CONNECTED: HealthEvent = { kind: 'connected' };
const TICK: HealthEvent = { kind: 'tick' };

const after = (health: NodeHealth, now: number, ...events: HealthEvent[]): NodeHealth =>
  events.reduce((before, event) => nextHealth(before, event, now), health);

const told = ({ state, because }: NodeHealth): string =>
  because === undefined ? state : `${state} ${because}`;

describe('a node that is in', () => {
  for (const [what, events, expected] of [
    ['stays in over one late answer', [LAGGING], 'in'],
    ['goes out when it lags twice in a row', [LAGGING, LAGGING], 'out lagging'],
    ['stays in when it caught up in between', [LAGGING, CLEAR, LAGGING], 'in'],
    ['stays in when it is within the bounds in between', [LAGGING, NEARLY, LAGGING], 'in'],
    ['stays in over two slow answers', [SLOW, SLOW], 'in'],
    ['goes out over three', [SLOW, SLOW, SLOW], 'out slow'],
    ['stays in over two different complaints', [LAGGING, SLOW, LAGGING, SLOW], 'in'],
    ['stays in over one silence', [SILENT, CLEAR, SILENT], 'in'],
    ['goes out over two', [SILENT, SILENT], 'out silent'],
    ['goes out at the first failed connect', [REFUSED], 'out unreachable'],
    ['is not freed of a suspicion by a connection', [SILENT, CONNECTED, TICK, SILENT], 'out silent'],
  ] as const) {
    test(what, () => {
      assert.equal(told(after(unknownHealth, 0, ...events)), expected);
    });
  }
});

describe('a node that is out', () => {
  const [lagging, silent, refused] = [
    after(unknownHealth, 0, LAGGING, LAGGING),
    after(unknownHealth, 0, SILENT, SILENT),
    after(unknownHealth, 0, REFUSED),
  ];
  for (const [what, health, event, expected] of [
    ['comes back when it has caught up', lagging, CLEAR, 'returning lagging'],
    ['stays out while it is not within half the bounds', lagging, NEARLY, 'out lagging'],
    ['stays out over a connection', lagging, CONNECTED, 'out lagging'],
    ['comes back when it answers', silent, CLEAR, 'returning silent'],
    ['stays out when its kernel accepts and it says nothing', silent, CONNECTED, 'out silent'],
    ['comes back when it can be connected to', refused, CONNECTED, 'returning unreachable'],
    ['stays out when only an old connection answers', refused, CLEAR, 'out unreachable'],
    ['is known by what is worst', refused, LAGGING, 'out unreachable'],
    ['is known by what it has come to', lagging, REFUSED, 'out unreachable'],
  ] as const) {
    test(what, () => {
      assert.equal(told(nextHealth(health, event, 500)), expected);
    });
  }

  test('stays out for half a second at least', () => {
    assert.equal(told(nextHealth(lagging, CLEAR, 499)), 'out lagging');
  });

  test('gets its share back by quarters, and is in after two seconds', () => {
    let health = nextHealth(refused, CONNECTED, 1000);
    const shares = [1000, 1499, 1500, 2000, 2500, 2999].map((now) => healthShare(health, now));
    assert.deepEqual(shares, [0.25, 0.25, 0.5, 0.75, 1, 1]);
    health = nextHealth(health, TICK, 2999);
    assert.equal(health.state, 'returning');
    assert.equal(nextHealth(health, TICK, 3000).state, 'in');
  });

  test('goes out again while it returns, and stays out twice as long each time, eight seconds at most', () => {
    let health = refused;
    const waits: number[] = [];
    for (let round = 0; round < 7; round += 1) {
      waits.push(health.outUntil - health.since);
      const back = nextHealth(health, CONNECTED, health.outUntil);
      assert.equal(back.state, 'returning');
      health = nextHealth(back, REFUSED, health.outUntil + 1);
    }
    assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 8000, 8000]);
  });

  test('is forgiven after half a minute in', () => {
    const back = nextHealth(nextHealth(refused, CONNECTED, 500), TICK, 2500);
    assert.equal(nextHealth(back, REFUSED, 32_499).relapses, 1);
    assert.equal(nextHealth(back, REFUSED, 32_500).relapses, 0);
  });
});

test('whatever happens, only a node that is out gets nothing, and one that hears only good is in again', () => {
  const events = fc.constantFrom(CLEAR, NEARLY, LAGGING, SLOW, SILENT, REFUSED, CONNECTED, TICK);
  fc.assert(
    fc.property(fc.array(fc.tuple(events, fc.nat(1000)), { maxLength: 40 }), (steps) => {
      let [health, now] = [unknownHealth, 0];
      for (const [event, ms] of steps) {
        now += ms;
        health = nextHealth(health, event, now);
        assert.equal(healthShare(health, now) === 0, health.state === 'out');
      }
      for (const ms of [8000, 8000, 2000]) {
        now += ms;
        health = after(health, now, CONNECTED, CLEAR, TICK);
      }
      assert.equal(health.state, 'in');
    }),
    { numRuns: 50 },
  );
});

describe('an answer', () => {
  const bounds = {
    lag: { bytes: 0, ms: 0 },
    lagLimit: { kind: 'ms', value: 10_000 },
    slowAfterMs: 250,
  } as const;
  const behind = { bytes: 5000, ms: 6000 };
  for (const [what, position, changes, against, isClear] of [
    ['of a standby in step is clear', {}, {}, undefined, true],
    ['of one that is behind within the limit is not against it', {}, { lag: behind }, undefined, false],
    ['of one that is late is', {}, { lag: { bytes: 1, ms: 10_001 } }, 'lagging', false],
    [
      'is judged by bytes where the limit is bytes',
      {},
      { lag: behind, lagLimit: { kind: 'bytes', value: 4000 } },
      'lagging',
      false,
    ],
    [
      'of a paused standby is against it once something was written',
      { isReplayPaused: true },
      { lag: { bytes: 1, ms: 0 } },
      'replay-paused',
      false,
    ],
    ['of a paused standby is not while nothing was', { isReplayPaused: true }, {}, undefined, true],
    ['of one that does not stream is against it', { isStreaming: false }, {}, 'not-streaming', false],
    [
      'of one that does not stream is not where there is no primary',
      { isStreaming: false },
      { lag: undefined },
      undefined,
      true,
    ],
    [
      'of a primary is clear',
      { isInRecovery: false, isStreaming: false },
      { lag: undefined },
      undefined,
      true,
    ],
    ['that took long is against it', { answeredAt: 251 }, {}, 'slow', false],
    ['that took more than half of that is not clear', { answeredAt: 126 }, {}, undefined, false],
  ] as const) {
    test(what, () => {
      const finding = judgePosition(aPosition({ askedAt: 0, answeredAt: 1, ...position }), {
        ...bounds,
        ...changes,
      });
      assert.deepEqual(finding, { against, isClear });
    });
  }

  test('is slow compared with the node itself, with others, and never below a quarter of a second', () => {
    assert.equal(slowBoundMs(1, 1), 250);
    assert.equal(slowBoundMs(100, 1), 400);
    assert.equal(slowBoundMs(1, 100), 400);
    assert.equal(slowBoundMs(1, Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY);
  });
});
