/** Whom a standby follows that is told to stream from another one. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { decide, freshMemory, type Memory, type Observation } from '../../../src/ha/index.ts';
import { aCluster, aLeader, aLocal, anObservation, NOW } from '../../support/observations.ts';

const decided = (changes: Partial<Observation>): string => {
  const { action, because } = decide(anObservation(changes));
  return `${action.do}: ${because}`;
};

const since = (ms: number): Memory => ({ ...freshMemory, notStreamingSince: NOW - ms });

test('a standby streams from the standby that it is told to, while that is fit', () => {
  const cluster = aCluster({ cascade: 'gamma' });
  deepEqual(decide(anObservation({ cluster })).action, { do: 'follow', upstream: 'gamma' });
  equal(decided({ cluster, local: aLocal({ upstream: 'gamma' }) }), 'wait: following');
  equal(decided({ local: aLocal({ upstream: 'gamma' }) }), 'follow: upstream-changed', 'it is fit no more');
  const stopped = aLocal({ process: 'stopped', upstream: undefined, streaming: false });
  deepEqual(decide(anObservation({ cluster, local: stopped })).action, {
    do: 'start-standby',
    upstream: 'gamma',
  });
  const restart = decide(anObservation({ cluster, order: 'restart' })).action;
  deepEqual(restart, { do: 'restart', as: 'standby', upstream: 'gamma' });
});

test('a standby that gives no stream is left for the leader, and tried again after a while', () => {
  const cluster = aCluster({ cascade: 'gamma' });
  const local = aLocal({ upstream: 'gamma', streaming: false });
  equal(decided({ cluster, local, memory: since(9999) }), 'wait: following');
  const left = decide(anObservation({ cluster, local, memory: since(10_000) }));
  deepEqual([left.action, left.because], [{ do: 'follow', upstream: 'beta' }, 'cascade-gives-no-stream']);
  // From there on the leader has the whole patience: a standby is not rebuilt for what another one did not give.
  equal(left.memory.notStreamingSince, undefined);
  const { memory } = left;
  const back = aLocal({ upstream: 'beta' });
  equal(decided({ cluster, local: back, memory, now: NOW + 119_999 }), 'wait: following');
  equal(decided({ cluster, local: back, memory, now: NOW + 120_000 }), 'follow: upstream-changed');
});

test('a standby that diverged from the leader is rebuilt from the leader, whomever it is told to stream from', () => {
  const cluster = aCluster({ cascade: 'gamma', leader: aLeader({ divergence: 'diverged' }) });
  const local = aLocal({ upstream: 'gamma', streaming: false });
  deepEqual(decide(anObservation({ cluster, local })).action, {
    do: 'rejoin',
    from: 'beta',
    isDiverged: true,
  });
});
