/** What the bench decides by itself: its options, and what it reads out of a profile. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selfTimes } from '../../../bench/cpu-profile.ts';
import { parseOptions } from '../../../bench/options.ts';

const ALL = {
  mode: 'compare',
  profiler: 'v8',
  idleClients: 1,
  peers: ['direct', 'pgbouncer', 'pgpool', 'matriarch'],
  protocols: ['simple', 'extended', 'prepared'],
  clients: [1, 16, 64],
  rounds: 5,
  windowMs: 3000,
  poolSize: 64,
  scale: 10,
};

test('pools are as large as the most clients, unless told otherwise', () => {
  assert.deepEqual(parseOptions([]), ALL);
  assert.deepEqual(parseOptions(['--quick', '--clients', '2,8']), {
    ...ALL,
    rounds: 3,
    windowMs: 600,
    clients: [2, 8],
    poolSize: 8,
  });
  assert.equal(parseOptions(['--pool-size', '20']).poolSize, 20);
});

test('peers and protocols are run in one order, however they are named', () => {
  const { peers, protocols } = parseOptions([
    '--peers',
    'matriarch, direct',
    '--protocols',
    'prepared,simple',
  ]);
  assert.deepEqual(peers, ['direct', 'matriarch']);
  assert.deepEqual(protocols, ['simple', 'prepared']);
});

test('idle clients are not given to pgpool-II, a profile is of 16 clients', () => {
  assert.deepEqual(parseOptions(['--idle', '10000']), {
    ...ALL,
    mode: 'idle',
    idleClients: 10_000,
    peers: ['pgbouncer', 'matriarch'],
  });
  assert.deepEqual(parseOptions(['--perf']), {
    ...ALL,
    mode: 'profile',
    profiler: 'perf',
    clients: [16],
    poolSize: 16,
    windowMs: 5000,
  });
});

test('one hostile client beside another is a mode of its own', () => {
  assert.deepEqual(parseOptions(['--hostile', '--rounds', '7']), { ...ALL, mode: 'hostile', rounds: 7 });
});

test('options that mean nothing are refused', () => {
  assert.throws(() => parseOptions(['--rounds', '0']), /--rounds: expected a whole number/);
  assert.throws(() => parseOptions(['--window', 'soon']), /--window: expected a duration/);
  assert.throws(
    () => parseOptions(['--protocols', 'v4']),
    /there is no v4; there are simple, extended, prepared/,
  );
  assert.throws(() => parseOptions(['--fast']), /--fast/);
});

test('self time is counted per function within the part, without idling', () => {
  const text = JSON.stringify({
    nodes: [
      node(1, '(idle)'),
      node(2, 'send', 'file:///project/dist/src/router/link.js'),
      node(3, 'writeBuffer'),
    ],
    // At 5, 6, 7, 8 and 9 ms; each stands for the time until the next.
    samples: [2, 2, 3, 1, 2],
    startTime: 5000,
    timeDeltas: [0, 1000, 1000, 1000, 1000],
  });
  assert.deepEqual(selfTimes(text, '/project', { from: 6000, to: 8000 }), [
    { what: 'send src/router/link.js:7', micros: 1000, share: 0.5 },
    { what: 'writeBuffer', micros: 1000, share: 0.5 },
  ]);
});

function node(id: number, functionName: string, url = '') {
  return { id, callFrame: { functionName, url, lineNumber: 6 } };
}
