/** What is told to pgpool-II: the order of things, against a model of it that looks for the primary only when told something. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  followStep,
  type PgpoolNode,
  pgpoolNodes,
  slotLines,
  type WantedNode,
  wantedNodes,
} from '../../../src/pgpool/index.ts';

const FILE = `# slot is said of lines like these
# slot 0 db-a 10.0.0.1 5432 up primary
backend_hostname0 = '10.0.0.1'
# slot 1 db-b 10.0.0.2 5433 up
# slot 2 db-c fd00::3 5432 down
 # slot 3 indented 10.0.0.4 5432 up
`;

test('the file says which server has which number, and what it is to be', () => {
  assert.deepEqual(wantedNodes(FILE), [
    { slot: 0, name: 'db-a', host: '10.0.0.1', port: 5432, isUp: true, isPrimary: true },
    { slot: 1, name: 'db-b', host: '10.0.0.2', port: 5433, isUp: true, isPrimary: false },
    { slot: 2, name: 'db-c', host: 'fd00::3', port: 5432, isUp: false, isPrimary: false },
  ]);
  assert.deepEqual(slotLines('# slot 7 x h 1'), [{ slot: 7, name: 'x', host: 'h', port: 1, words: [] }]);
});

test('what pcp_node_info prints is read, of 4.3 and of older ones', () => {
  assert.deepEqual(
    pgpoolNodes(
      `127.0.0.1 5432 2 0.833333 up unknown primary unknown 0 none none 2026-11-29 14:08:09
127.0.0.2 5433 3 0.083333 down unknown standby unknown 0 streaming quorum 2026-11-29 14:08:09
127.0.0.3 5432 1 0.083333 waiting standby 0 2026-11-29 14:08:09

`,
    ),
    [
      { host: '127.0.0.1', port: 5432, isUp: true, isPrimary: true },
      { host: '127.0.0.2', port: 5433, isUp: false, isPrimary: false },
      { host: '127.0.0.3', port: 5432, isUp: true, isPrimary: false },
    ],
  );
});

/** `U`, `D`: up or down; `P`, `p`: the same of the primary. One letter a server. */
const wanted = (letters: string): WantedNode[] =>
  letters.split('').map((letter, slot) => ({
    slot,
    name: `n${slot}`,
    host: `h${slot}`,
    port: 5432,
    isUp: 'UP'.includes(letter),
    isPrimary: letter === 'P',
  }));
const nodes = (letters: string): PgpoolNode[] =>
  letters.split('').map((letter, slot) => ({
    host: `h${slot}`,
    port: 5432,
    isUp: 'UP'.includes(letter),
    isPrimary: 'Pp'.includes(letter),
  }));

const STEPS: readonly (readonly [why: string, wanted: string, is: string, step: object])[] = [
  ['as it should be', 'PUU', 'PUU', { do: 'nothing' }],
  ['a switchover: the primary of before goes first', 'UPU', 'PUU', { do: 'detach', slot: 0 }],
  ['… and comes back as a standby', 'UPU', 'DPU', { do: 'attach', slot: 0 }],
  ['the primary is gone, and there is no other yet: it would wait for one', 'DUU', 'PUU', { do: 'nothing' }],
  ['there is', 'DPU', 'PUU', { do: 'detach', slot: 0 }],
  ['a standby is gone', 'PUD', 'PUU', { do: 'detach', slot: 2 }],
  ['a standby is back', 'PUU', 'PUD', { do: 'attach', slot: 2 }],
  ['the new primary had been detached', 'UPU', 'PDU', { do: 'attach', slot: 1 }],
  ['it knows of no primary at all', 'PUU', 'UUU', { do: 'stir', slot: 1 }],
  [
    '… and only the primary is up',
    'PDD',
    'UDD',
    { do: 'wait', because: 'it does not know that n0 is the primary' },
  ],
  ['the last that is up is not taken away', 'DDD', 'DUD', { do: 'nothing' }],
  ['a new server that it has not seen yet', 'PUU', 'PU', { do: 'wait', because: 'it has no server 2 yet' }],
  ['a new server that is down need not be seen', 'PUD', 'PU', { do: 'nothing' }],
];

for (const [why, want, is, step] of STEPS) {
  test(`${why}: ${want} from ${is}`, () => {
    assert.deepEqual(followStep(wanted(want), nodes(is)), step);
  });
}

test('another address at a number in use needs a restart', () => {
  const [first, ...others] = nodes('PUU');
  assert.ok(first !== undefined);
  assert.deepEqual(followStep(wanted('PUU'), [{ ...first, host: 'other' }, ...others]), {
    do: 'restart',
    because: 'server 0 is other:5432, and is to be h0:5432',
  });
});

test('wherever it is, a few steps make it as the file says, and never is none up', () => {
  const count = 4;
  fc.assert(
    fc.property(
      fc.array(fc.boolean(), { minLength: count, maxLength: count }),
      fc.nat({ max: count - 1 }),
      fc.array(fc.boolean(), { minLength: count, maxLength: count }),
      fc.option(fc.nat({ max: count - 1 }), { nil: undefined }),
      (wantedUp, primary, isUp, believed) => {
        const want = wanted('D'.repeat(count)).map((node, slot) => ({
          ...node,
          isUp: slot === primary || wantedUp[slot] === true,
          isPrimary: slot === primary,
        }));
        let pgpool = nodes('D'.repeat(count)).map((node, slot) => ({
          ...node,
          isUp: isUp[slot] === true,
          isPrimary: slot === believed && isUp[slot] === true,
        }));
        let steps = 0;
        for (let step = followStep(want, pgpool); 'slot' in step; ) {
          const { slot: at } = step;
          const doing = step.do === 'attach' ? 'attach' : 'detach';
          assert.notEqual(pgpool[at]?.isUp, doing === 'attach', 'pgpool-II refuses what is so already');
          const ups = pgpool.map((node, slot) => (slot === at ? doing === 'attach' : node.isUp));
          assert.ok(ups.some((up) => up) || doing === 'attach');
          // Told something, it looks: the real primary is found if it is up.
          pgpool = pgpool.map((node, slot) => ({
            ...node,
            isUp: ups[slot] === true,
            isPrimary: slot === primary && ups[slot] === true,
          }));
          steps += 1;
          assert.ok(steps <= 2 * count, 'it does not come to an end');
          step = followStep(want, pgpool);
        }
        const end = followStep(want, pgpool);
        // One server alone, of which it does not know that it is the primary: nothing can be told.
        if (end.do === 'wait') return pgpool.filter(({ isUp: up }) => up).length === 1;
        assert.deepEqual(end, { do: 'nothing' });
        assert.deepEqual(
          pgpool.map(({ isUp: up }) => up),
          want.map(({ isUp: up }) => up),
        );
        assert.equal(pgpool[primary]?.isPrimary, true);
        return true;
      },
    ),
    { numRuns: 500 },
  );
});
