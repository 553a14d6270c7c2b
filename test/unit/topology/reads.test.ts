/** Where reads may go, with which share, and that the shares are kept exactly. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type ChoiceState,
  type ClusterView,
  chooseWeighted,
  emptyChoice,
  readCandidates,
  type Weighted,
} from '../../../src/topology/index.ts';
import { aMember, aPrimary, aView, threeDatacenters } from '../../support/members.ts';

const policy = { localDatacenter: 'dc2', weights: { local: 10, remote: 1 }, addresses: {} };

const shares = (view: ClusterView, more: Partial<typeof policy> = {}): Record<string, string> =>
  Object.fromEntries(
    readCandidates(view, { ...policy, ...more }).map(({ name, weight, because }) => [
      name,
      `${weight} ${because}`,
    ]),
  );

describe('reads go', () => {
  test('mostly to the node of the own datacenter, the primary included', () => {
    assert.deepEqual(shares(threeDatacenters()), { db1: '1 remote', db2: '10 local', db3: '1 remote' });
    assert.deepEqual(shares(threeDatacenters(), { localDatacenter: 'dc1' }), {
      db1: '10 local',
      db2: '1 remote',
      db3: '1 remote',
    });
  });

  test('nowhere that is tagged, stopped, unreadable or weighted away, and each is listed with its reason', () => {
    const view = threeDatacenters({
      members: {
        db2: aMember({ name: 'db2', datacenter: 'dc2', tags: { noloadbalance: true } }),
        db3: aMember({ name: 'db3', datacenter: 'dc3', state: 'starting' }),
        db4: '{',
      },
    });
    assert.deepEqual(shares(view, { weights: { local: 10, remote: 0 } }), {
      db1: '0 weight-zero',
      db2: '0 noloadbalance',
      db3: '0 not-running',
      db4: '0 unreadable',
    });
  });

  test('to a node that may not be promoted as to any other', () => {
    const db2 = aMember({ name: 'db2', datacenter: 'dc2', tags: { nofailover: true } });
    assert.equal(shares(threeDatacenters({ members: { db2 } }))['db2'], '10 local');
  });

  test('not to a standby that is cut off while another one streams', () => {
    const db2 = aMember({ name: 'db2', datacenter: 'dc2', replication_state: 'in archive recovery' });
    assert.deepEqual(shares(threeDatacenters({ members: { db2 } })), {
      db1: '1 remote',
      db2: '0 not-streaming',
      db3: '1 remote',
    });
  });

  test('to the standbys still when all of them have lost the primary', () => {
    const cutOff = { replication_state: 'in archive recovery' } as const;
    const members = {
      db2: aMember({ name: 'db2', datacenter: 'dc2', ...cutOff }),
      db3: aMember({ name: 'db3', datacenter: 'dc3', ...cutOff }),
    };
    assert.deepEqual(shares(aView({ members })), { db2: '10 local', db3: '1 remote' });
  });

  test('to a standby whose Patroni does not tell whether it streams', () => {
    const { replication_state: _, ...db2 } = aMember({ name: 'db2', datacenter: 'dc2' });
    assert.equal(shares(threeDatacenters({ members: { db2 } }))['db2'], '10 local');
  });

  test('to a new leader that has not called itself primary yet', () => {
    const view = threeDatacenters({ leader: 'db2' });
    const candidate = readCandidates(view, policy).find(({ name }) => name === 'db2');
    assert.deepEqual([candidate?.isLeader, candidate?.weight], [true, 10]);
  });

  test('by the address that this host prefers', () => {
    const addresses = { db1: { host: '127.0.0.1', port: 6000 } };
    const found = readCandidates(threeDatacenters(), { ...policy, addresses });
    assert.deepEqual(
      found.map(({ host, port }) => `${host}:${port}`),
      ['127.0.0.1:6000', 'db2.example:5432', 'db3.example:5432'],
    );
  });

  test('without a datacenter tag as to a remote node', () => {
    const member = aPrimary({ name: 'db1' });
    assert.deepEqual(shares(aView({ leader: 'db1', members: { db1: { ...member, tags: {} } } })), {
      db1: '1 remote',
    });
  });
});

/** The names chosen in `count` steps, and the state after them. */
function choose(
  candidates: readonly Weighted[],
  count: number,
  options: { readonly state?: ChoiceState; readonly exclude?: ReadonlySet<string> } = {},
): { readonly names: readonly (string | undefined)[]; readonly state: ChoiceState } {
  let state = options.state ?? emptyChoice;
  const names: (string | undefined)[] = [];
  for (let step = 0; step < count; step += 1) {
    const next = chooseWeighted(state, candidates, options.exclude);
    state = next.state;
    names.push(next.chosen?.name);
  }
  return { names, state };
}

const counts = (names: readonly (string | undefined)[]): Record<string, number> => {
  const result: Record<string, number> = {};
  for (const name of names) result[String(name)] = (result[String(name)] ?? 0) + 1;
  return result;
};

const weighted = (weights: Readonly<Record<string, number>>): readonly Weighted[] =>
  Object.entries(weights).map(([name, weight]) => ({ name, weight }));

describe('the choice', () => {
  test('is exactly 10, 1 and 1 in any twelve of 240', () => {
    const { names } = choose(weighted({ a: 10, b: 1, c: 1 }), 240);
    for (let from = 0; from + 12 <= names.length; from += 1) {
      assert.deepEqual(counts(names.slice(from, from + 12)), { a: 10, b: 1, c: 1 });
    }
  });

  test('keeps every weight exactly in any window of the total', () => {
    const weights = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(weights, fc.nat(100), (list, from) => {
        const candidates = list.map((weight, index) => ({ name: `n${index}`, weight }));
        const total = list.reduce((sum, weight) => sum + weight, 0);
        fc.pre(total > 0);
        const window = choose(candidates, from + total).names.slice(from);
        const expected = candidates
          .filter(({ weight }) => weight > 0)
          .map(({ name, weight }) => [name, weight]);
        assert.deepEqual(counts(window), Object.fromEntries(expected));
      }),
    );
  });

  test('is nothing where nobody has a weight', () => {
    assert.deepEqual(choose(weighted({ a: 0 }), 2).names, [undefined, undefined]);
    assert.deepEqual(choose([], 1).names, [undefined]);
    assert.deepEqual(choose(weighted({ a: 1 }), 1, { exclude: new Set(['a']) }).names, [undefined]);
  });

  test('spreads retries evenly over the others, and they do not disturb the first choice', () => {
    const candidates = weighted({ a: 10, b: 1, c: 1 });
    const exclude = new Set(['a']);
    let state = emptyChoice;
    const first: (string | undefined)[] = [];
    const second: (string | undefined)[] = [];
    for (let step = 0; step < 120; step += 1) {
      const one = choose(candidates, 1, { state });
      const two = choose(candidates, 1, { state: one.state, exclude });
      state = two.state;
      first.push(...one.names);
      second.push(...two.names);
    }
    assert.deepEqual(first, choose(candidates, 120).names);
    assert.deepEqual(counts(second), { b: 60, c: 60 });
  });

  test('goes on where it was when a candidate comes back, so flapping does not favour anybody', () => {
    const all = weighted({ a: 10, b: 1, c: 1 });
    const fewer = weighted({ a: 10, b: 1 });
    let state = emptyChoice;
    const names: (string | undefined)[] = [];
    for (let step = 0; step < 240; step += 1) {
      const next = choose(step % 2 === 0 ? all : fewer, 1, { state });
      state = next.state;
      if (step % 2 === 0) names.push(...next.names);
    }
    assert.deepEqual(counts(names), { a: 100, b: 10, c: 10 });
  });

  test('starts anew with new weights, and remembers a bounded number of sets', () => {
    let state = emptyChoice;
    for (let weight = 1; weight <= 100; weight += 1) {
      state = choose(weighted({ a: weight, b: 1 }), 3, { state }).state;
    }
    assert.ok(state.rounds.length <= 16);
    assert.deepEqual(counts(choose(weighted({ a: 3, b: 2 }), 5, { state }).names), { a: 3, b: 2 });
  });

  test('changes nothing in the state that it was given', () => {
    const { state } = choose(weighted({ a: 2, b: 1 }), 1);
    const before = structuredClone(state);
    choose(weighted({ a: 2, b: 1 }), 5, { state });
    assert.deepEqual(state, before);
  });
});
