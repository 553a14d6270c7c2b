/**
 * What every store must do, as tests that both the real one and the one in memory pass. A store that needs
 * special help to pass is not the store that the rest of the system was written against. Watches are in
 * dcs-watch-contract.ts.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock } from '../../src/base/index.ts';
import type { Dcs } from '../../src/dcs/index.ts';
import { assertDcsError, call, freshPrefix, type Subject, SuiteStore } from '../support/dcs-subject.ts';
import { eventually } from '../support/eventually.ts';
import { recordWatch } from '../support/watch-recorder.ts';

/** Declares the suite for one kind of store. */
export function describeDcsContract(store: string, open: () => Promise<Subject>): void {
  describe(`${store} keeps the contract of a store`, () => {
    const its = new SuiteStore(open);

    test('a key that was put is read with its value and revisions', async () => {
      const key = `${freshPrefix()}größe`;
      const created = await its.put(key, 'eins → 1');
      const changed = await its.put(key, '');
      assert.ok(changed > created);
      assert.deepEqual(await its.two.get(key, call), {
        key,
        value: '',
        createRevision: created,
        modRevision: changed,
        lease: undefined,
      });
    });

    test('a missing key is undefined', async () => {
      assert.equal(await its.one.get(`${freshPrefix()}none`, call), undefined);
    });

    test('a range holds exactly the keys under its prefix, in order', async () => {
      const prefix = freshPrefix();
      await its.put(`${prefix}b`, '2');
      await its.put(`${prefix}a/x`, '1');
      await its.put(`${prefix.slice(0, -1)}0`, 'a neighbour');
      const snapshot = await its.two.range(prefix, call);
      assert.deepEqual(
        snapshot.entries.map((entry) => `${entry.key.slice(prefix.length)}=${entry.value}`),
        ['a/x=1', 'b=2'],
      );
      assert.ok(snapshot.revision >= Math.max(...snapshot.entries.map((entry) => entry.modRevision)));
    });

    test('of two clients that create a key, exactly one wins', async () => {
      for (let round = 0; round < 20; round += 1) {
        const key = `${freshPrefix()}leader`;
        const race = async (client: Dcs, value: string): Promise<string> => {
          const then = [{ op: 'put', key, value } as const];
          return (await client.transact({ when: [{ key, is: 'absent' }], then }, call)).outcome;
        };
        const outcomes = await Promise.all([race(its.one, 'one'), race(its.two, 'two')]);
        assert.deepEqual(outcomes.toSorted(), ['applied', 'refused']);
        const winner = outcomes[0] === 'applied' ? 'one' : 'two';
        assert.equal((await its.one.get(key, call))?.value, winner);
      }
    });

    test('a compare by mod revision fails once the key has changed, and holds for 0 only without the key', async () => {
      const key = `${freshPrefix()}config`;
      const first = await its.put(key, '1');
      const swap = async (modRevision: number): Promise<string> => {
        const then = [{ op: 'put', key, value: '2' } as const];
        return (await its.one.transact({ when: [{ key, is: 'mod-revision', modRevision }], then }, call))
          .outcome;
      };
      assert.equal(await swap(0), 'refused');
      assert.equal(await swap(first), 'applied');
      assert.equal(await swap(first), 'refused');
      await its.remove(key);
      assert.equal(await swap(0), 'applied');
    });

    test('all guards must hold, and a value guard fails for a missing key', async () => {
      const prefix = freshPrefix();
      await its.put(`${prefix}a`, 'x');
      const attempt = async (b: string): Promise<string> => {
        const when = [
          { key: `${prefix}a`, is: 'value', value: 'x' },
          { key: `${prefix}b`, is: 'value', value: b },
        ] as const;
        return (await its.one.transact({ when, then: [{ op: 'delete', key: `${prefix}a` }] }, call)).outcome;
      };
      assert.equal(await attempt(''), 'refused');
      await its.put(`${prefix}b`, 'y');
      assert.equal(await attempt('z'), 'refused');
      assert.equal(await attempt('y'), 'applied');
      assert.equal(await its.one.get(`${prefix}a`, call), undefined);
    });

    test('a leader re-attaches its key to a new lease only if the key is its own or absent', async () => {
      const key = `${freshPrefix()}leader`;
      const attach = async (name: string, lease: string): Promise<unknown> => {
        const write = [{ op: 'put', key, value: name, lease } as const];
        const otherwise = { when: [{ key, is: 'absent' } as const], then: write };
        const result = await its.one.transact(
          { when: [{ key, is: 'value', value: name }], then: write, otherwise },
          call,
        );
        return result.outcome === 'applied' ? result.branch : result.outcome;
      };
      const { lease: first } = await its.one.grantLease(10_000, call);
      const { lease: second } = await its.one.grantLease(10_000, call);
      assert.equal(await attach('mine', first), 'otherwise');
      assert.equal(await attach('mine', second), 'then');
      assert.equal(await attach('theirs', first), 'refused');
      await its.one.revokeLease(first, call);
      assert.deepEqual(
        [(await its.one.get(key, call))?.value, (await its.one.get(key, call))?.lease],
        ['mine', second],
      );
      await its.one.revokeLease(second, call);
      assert.equal(await its.one.get(key, call), undefined);
    });

    test('a put without a lease detaches the key', async () => {
      const key = `${freshPrefix()}k`;
      const { lease } = await its.one.grantLease(10_000, call);
      await its.put(key, '1', lease);
      await its.put(key, '2');
      await its.one.revokeLease(lease, call);
      assert.equal((await its.one.get(key, call))?.value, '2');
    });

    test('a put on a lease that is gone is refused, and nothing of its transaction happens', async () => {
      const prefix = freshPrefix();
      const { lease } = await its.one.grantLease(10_000, call);
      await its.one.revokeLease(lease, call);
      const then = [
        { op: 'put', key: `${prefix}a`, value: '1' },
        { op: 'put', key: `${prefix}b`, value: '1', lease },
      ] as const;
      await assertDcsError(its.one.transact({ when: [], then }, call), 'refused', 'lease-not-found');
      assert.deepEqual((await its.one.range(prefix, call)).entries, []);
    });

    test('a transaction that changes a key twice is refused', async () => {
      const key = `${freshPrefix()}k`;
      const then = [
        { op: 'put', key, value: '1' },
        { op: 'put', key, value: '2' },
      ] as const;
      await assertDcsError(its.one.transact({ when: [], then }, call), 'refused', 'bad-request');
    });

    test('a keep-alive tells the time to live, and a lease that is gone is lost, not an error', async () => {
      const { lease, ttlMs } = await its.one.grantLease(4500, call);
      assert.equal(ttlMs, 5000);
      assert.deepEqual(await its.two.keepAlive(lease, call), { outcome: 'alive', ttlMs: 5000 });
      await its.one.revokeLease(lease, call);
      assert.deepEqual(await its.two.keepAlive(lease, call), { outcome: 'lost' });
      await its.one.revokeLease(lease, call);
    });

    test('a lease that nobody keeps alive ends, and its keys go with it, seen by a watch', {
      timeout: 20_000,
    }, async () => {
      const prefix = freshPrefix();
      const watch = recordWatch(its.two, prefix);
      await watch.started();
      const { lease } = await its.one.grantLease(2000, call);
      await its.put(`${prefix}leader`, 'one', lease);
      await its.put(`${prefix}members/one`, '{}', lease);
      await its.put(`${prefix}config`, '{}');
      await eventually('keys of the lease are gone', () => [...watch.state.keys()], {
        holds: (keys) => keys.length === 1 && watch.events.length >= 5,
        withinMs: 10_000,
      });
      assert.deepEqual(watch.events.slice(3).toSorted(), [
        `delete ${prefix}leader`,
        `delete ${prefix}members/one`,
      ]);
      assert.deepEqual(await its.one.keepAlive(lease, call), { outcome: 'lost' });
      await watch.stop();
    });

    test('a lease that is kept alive outlives its time', { timeout: 20_000 }, async () => {
      const key = `${freshPrefix()}leader`;
      const { lease, ttlMs } = await its.one.grantLease(2000, call);
      await its.put(key, 'one', lease);
      const until = systemClock.now() + ttlMs + 1500;
      let keptAlive = 0;
      await eventually(
        'past the time to live',
        async () => {
          if ((await its.one.keepAlive(lease, call)).outcome === 'alive') keptAlive += 1;
          return systemClock.now();
        },
        { holds: (now) => now > until, withinMs: 15_000 },
      );
      assert.ok(keptAlive > 0);
      assert.equal((await its.one.get(key, call))?.value, 'one');
      await its.one.revokeLease(lease, call);
    });

    test('the store names its members, one of them its leader', async () => {
      const members = await its.one.members(call);
      assert.equal(members.filter((member) => member.isLeader).length, 1);
    });

    test('a closed client refuses, and says that nothing was sent', async () => {
      const client = its.subject.connect();
      await client.close();
      await assertDcsError(client.get('/k', call), 'not-sent', 'closed');
    });
  });
}
