/** How a router spreads reads over real servers: exactly by weight, without the local node, and with it again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/base/index.ts';
import { eventually } from '../support/eventually.ts';
import { startAs } from '../support/postgres.ts';
import { shareOut, unfair } from '../support/reads.ts';
import { aClient, aRouter, aStage } from '../support/router.ts';

const LOCAL_IS_N2 = ['datacenter: dc2'];
const CLIENTS = 4;
const BACK_WITHIN_MS = 5000;

test('reads are spread by weight', { timeout: 150_000 }, async (suite) => {
  const stage = await aStage(suite);
  const { n1, n2 } = stage.nodes;
  const router = await aRouter(suite, stage, {
    // What is counted is the choice by weight; a read that must wait for what its session has seen may go elsewhere.
    router: ['position_poll: 100ms', 'consistency: eventual'],
    top: LOCAL_IS_N2,
  });
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => aClient(suite, router.as())));

  await suite.test('10 to 1 to 1 exactly over twelve thousand', async () => {
    assert.deepEqual(await unfair(router, clients, { n1: 1000, n2: 10_000, n3: 1000 }), []);
  });

  await suite.test('without the local node, one to one exactly, and no client notices', async () => {
    await n2.control.stop({ mode: 'immediate', deadlineMs: 5000 });
    await shareOut(router, clients, 120);
    assert.match((await router.states())['n2'] ?? '', /^out (unreachable|silent) 0$/);
    assert.deepEqual(await unfair(router, clients, { n1: 600, n3: 600 }), []);
  });

  await suite.test('10 to 1 to 1 again within five seconds of the local node’s return', async (t) => {
    await startAs(n2, 'standby', n1);
    const startedAt = systemClock.now();
    await eventually('it has its whole share', router.states, {
      holds: ({ n2: state }) => state === 'in 1',
      withinMs: 3 * BACK_WITHIN_MS,
    });
    const tookMs = systemClock.now() - startedAt;
    t.diagnostic(`the local node had its whole share ${Math.round(tookMs)} ms after it was back`);
    assert(tookMs < BACK_WITHIN_MS, String(tookMs));
    assert.deepEqual(await unfair(router, clients, { n1: 100, n2: 1000, n3: 100 }), []);
  });
});
