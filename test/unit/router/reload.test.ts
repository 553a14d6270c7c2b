/** What a changed file means for a router that runs. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkConfig } from '../../../src/config/index.ts';
import { planReload, type ReloadPlan } from '../../../src/router/reload.ts';

const BASE = "scope: main\nname: app1\ndatacenter: dc1\netcd: { endpoints: ['http://127.0.0.1:1'] }\n";
function config(more: string, base = BASE) {
  const loaded = checkConfig(base + more, {}, 'router');
  assert(loaded.outcome === 'ok', JSON.stringify(loaded));
  return loaded.config;
}

describe('a changed file', () => {
  const table: [string, string, string, ReloadPlan][] = [
    [
      'that says the same otherwise changes nothing',
      'router: { default_pool_size: 20 }',
      '',
      { kind: 'unchanged' },
    ],
    [
      'is taken over with all that changed',
      "router: { default_pool_size: 5, weights: { local: 3 } }\naddresses: { n1: '127.0.0.9:1' }",
      '',
      { kind: 'apply', changed: ['addresses', 'router.weights', 'router.default_pool_size'] },
    ],
    [
      'is refused whole, if a part of it needs a restart',
      "router: { default_pool_size: 5, listen: '127.0.0.1:6432' }\nlease: { ttl: 9s }",
      '',
      { kind: 'refused', needRestart: ['lease', 'router.listen'] },
    ],
    ['may change the sections of other services', 'tags: { a: 1 }', '', { kind: 'unchanged' }],
  ];
  for (const [fact, next, present, plan] of table) {
    test(fact, () => assert.deepEqual(planReload(config(present), config(next)), plan));
  }
});
