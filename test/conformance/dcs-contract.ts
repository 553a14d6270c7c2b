/**
 * What every store must do, as tests that both the real one and the one in memory pass. A store that needs
 * special help to pass is not the store that the rest of the system was written against.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { deferred, systemClock } from '../../src/base/index.ts';
import { type Dcs, DcsError, type DcsErrorReason, type DcsOutcome } from '../../src/dcs/index.ts';
import { eventually } from '../support/eventually.ts';
import { recordWatch } from '../support/watch-recorder.ts';

/** A store under test. */
export interface Subject {
  /** A client of its own, as another process would have. */
  readonly connect: () => Dcs;
  /** Forgets the history up to now. */
  readonly compact: () => Promise<void>;
  readonly close: () => Promise<void>;
}

const call = { timeoutMs: 5000 };
const freshPrefix = (): string => `/contract/${randomUUID()}/`;
const nothing = (): void => {};
const broken = (): never => {
  throw new RangeError('a bug in the handler');
};

/** Rejects with exactly this outcome and reason. */
export async function assertDcsError(
  work: Promise<unknown>,
  outcome: DcsOutcome,
  reason?: DcsErrorReason,
): Promise<void> {
  await assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof DcsError, `not a DcsError: ${String(error)}`);
    assert.equal(error.outcome, outcome, error.message);
    if (reason !== undefined) assert.equal(error.reason, reason, error.message);
    return true;
  });
}

/** Declares the suite for one kind of store. */
export function describeDcsContract(store: string, open: () => Promise<Subject>): void {
  describe(`${store} keeps the contract of a store`, () => {
    let subject: Subject;
    let one: Dcs;
    let two: Dcs;
    before(async () => {
      subject = await open();
      one = subject.connect();
      two = subject.connect();
    });
    after(async () => {
      await one.close();
      await two.close();
      await subject.close();
    });
    const put = async (key: string, value: string, lease?: string): Promise<number> => {
      const write = lease === undefined ? { key, value } : { key, value, lease };
      const result = await one.transact({ when: [], then: [{ op: 'put', ...write }] }, call);
      return result.revision;
    };
    const remove = async (key: string): Promise<void> => {
      await one.transact({ when: [], then: [{ op: 'delete', key }] }, call);
    };

    test('a key that was put is read with its value and revisions', async () => {
      const key = `${freshPrefix()}größe`;
      const created = await put(key, 'eins → 1');
      const changed = await put(key, '');
      assert.ok(changed > created);
      assert.deepEqual(await two.get(key, call), {
        key,
        value: '',
        createRevision: created,
        modRevision: changed,
        lease: undefined,
      });
    });

    test('a missing key is undefined', async () => {
      assert.equal(await one.get(`${freshPrefix()}none`, call), undefined);
    });

    test('a range holds exactly the keys under its prefix, in order', async () => {
      const prefix = freshPrefix();
      await put(`${prefix}b`, '2');
      await put(`${prefix}a/x`, '1');
      await put(`${prefix.slice(0, -1)}0`, 'a neighbour');
      const snapshot = await two.range(prefix, call);
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
        const outcomes = await Promise.all([race(one, 'one'), race(two, 'two')]);
        assert.deepEqual(outcomes.toSorted(), ['applied', 'refused']);
        const winner = outcomes[0] === 'applied' ? 'one' : 'two';
        assert.equal((await one.get(key, call))?.value, winner);
      }
    });

    test('a compare by mod revision fails once the key has changed, and holds for 0 only without the key', async () => {
      const key = `${freshPrefix()}config`;
      const first = await put(key, '1');
      const swap = async (modRevision: number): Promise<string> => {
        const then = [{ op: 'put', key, value: '2' } as const];
        return (await one.transact({ when: [{ key, is: 'mod-revision', modRevision }], then }, call)).outcome;
      };
      assert.equal(await swap(0), 'refused');
      assert.equal(await swap(first), 'applied');
      assert.equal(await swap(first), 'refused');
      await remove(key);
      assert.equal(await swap(0), 'applied');
    });

    test('all guards must hold, and a value guard fails for a missing key', async () => {
      const prefix = freshPrefix();
      await put(`${prefix}a`, 'x');
      const attempt = async (b: string): Promise<string> => {
        const when = [
          { key: `${prefix}a`, is: 'value', value: 'x' },
          { key: `${prefix}b`, is: 'value', value: b },
        ] as const;
        return (await one.transact({ when, then: [{ op: 'delete', key: `${prefix}a` }] }, call)).outcome;
      };
      assert.equal(await attempt(''), 'refused');
      await put(`${prefix}b`, 'y');
      assert.equal(await attempt('z'), 'refused');
      assert.equal(await attempt('y'), 'applied');
      assert.equal(await one.get(`${prefix}a`, call), undefined);
    });

    test('a leader re-attaches its key to a new lease only if the key is its own or absent', async () => {
      const key = `${freshPrefix()}leader`;
      const attach = async (name: string, lease: string): Promise<unknown> => {
        const write = [{ op: 'put', key, value: name, lease } as const];
        const otherwise = { when: [{ key, is: 'absent' } as const], then: write };
        const result = await one.transact(
          { when: [{ key, is: 'value', value: name }], then: write, otherwise },
          call,
        );
        return result.outcome === 'applied' ? result.branch : result.outcome;
      };
      const { lease: first } = await one.grantLease(10_000, call);
      const { lease: second } = await one.grantLease(10_000, call);
      assert.equal(await attach('mine', first), 'otherwise');
      assert.equal(await attach('mine', second), 'then');
      assert.equal(await attach('theirs', first), 'refused');
      await one.revokeLease(first, call);
      assert.deepEqual(
        [(await one.get(key, call))?.value, (await one.get(key, call))?.lease],
        ['mine', second],
      );
      await one.revokeLease(second, call);
      assert.equal(await one.get(key, call), undefined);
    });

    test('a put without a lease detaches the key', async () => {
      const key = `${freshPrefix()}k`;
      const { lease } = await one.grantLease(10_000, call);
      await put(key, '1', lease);
      await put(key, '2');
      await one.revokeLease(lease, call);
      assert.equal((await one.get(key, call))?.value, '2');
    });

    test('a put on a lease that is gone is refused, and nothing of its transaction happens', async () => {
      const prefix = freshPrefix();
      const { lease } = await one.grantLease(10_000, call);
      await one.revokeLease(lease, call);
      const then = [
        { op: 'put', key: `${prefix}a`, value: '1' },
        { op: 'put', key: `${prefix}b`, value: '1', lease },
      ] as const;
      await assertDcsError(one.transact({ when: [], then }, call), 'refused', 'lease-not-found');
      assert.deepEqual((await one.range(prefix, call)).entries, []);
    });

    test('a transaction that changes a key twice is refused', async () => {
      const key = `${freshPrefix()}k`;
      const then = [
        { op: 'put', key, value: '1' },
        { op: 'put', key, value: '2' },
      ] as const;
      await assertDcsError(one.transact({ when: [], then }, call), 'refused', 'bad-request');
    });

    test('a keep-alive tells the time to live, and a lease that is gone is lost, not an error', async () => {
      const { lease, ttlMs } = await one.grantLease(4500, call);
      assert.equal(ttlMs, 5000);
      assert.deepEqual(await two.keepAlive(lease, call), { outcome: 'alive', ttlMs: 5000 });
      await one.revokeLease(lease, call);
      assert.deepEqual(await two.keepAlive(lease, call), { outcome: 'lost' });
      await one.revokeLease(lease, call);
    });

    test('a lease that nobody keeps alive ends, and its keys go with it, seen by a watch', {
      timeout: 20_000,
    }, async () => {
      const prefix = freshPrefix();
      const watch = recordWatch(two, prefix);
      const { lease } = await one.grantLease(2000, call);
      await put(`${prefix}leader`, 'one', lease);
      await put(`${prefix}members/one`, '{}', lease);
      await put(`${prefix}config`, '{}');
      await eventually('keys of the lease are gone', () => [...watch.state.keys()], {
        holds: (keys) => keys.length === 1 && watch.events.length >= 5,
        withinMs: 10_000,
      });
      assert.deepEqual(watch.events.slice(3).toSorted(), [
        `delete ${prefix}leader`,
        `delete ${prefix}members/one`,
      ]);
      assert.deepEqual(await one.keepAlive(lease, call), { outcome: 'lost' });
      await watch.stop();
    });

    test('a lease that is kept alive outlives its time', { timeout: 20_000 }, async () => {
      const key = `${freshPrefix()}leader`;
      const { lease, ttlMs } = await one.grantLease(2000, call);
      await put(key, 'one', lease);
      const until = systemClock.now() + ttlMs + 1500;
      let keptAlive = 0;
      await eventually(
        'past the time to live',
        async () => {
          if ((await one.keepAlive(lease, call)).outcome === 'alive') keptAlive += 1;
          return systemClock.now();
        },
        { holds: (now) => now > until, withinMs: 15_000 },
      );
      assert.ok(keptAlive > 0);
      assert.equal((await one.get(key, call))?.value, 'one');
      await one.revokeLease(lease, call);
    });

    test('a watch starts with a snapshot and reports each change once, in order', async () => {
      const prefix = freshPrefix();
      await put(`${prefix}a`, '0');
      const watch = recordWatch(two, prefix);
      await eventually('the snapshot', () => watch.snapshots, {
        holds: (count) => count === 1,
        withinMs: 5000,
      });
      assert.deepEqual([...watch.state], [[`${prefix}a`, '0']]);
      for (let step = 1; step <= 50; step += 1) await put(`${prefix}a`, String(step));
      await remove(`${prefix}a`);
      await remove(`${prefix}never`);
      await eventually('all changes', () => watch.events.length, {
        holds: (count) => count >= 51,
        withinMs: 5000,
      });
      const expected = Array.from({ length: 50 }, (_, index) => `put ${prefix}a=${index + 1}`);
      assert.deepEqual(watch.events, [...expected, `delete ${prefix}a`]);
      assert.equal(watch.snapshots, 1);
      await watch.stop();
    });

    test('all changes of one transaction arrive together', async () => {
      const prefix = freshPrefix();
      const seen: string[][] = [];
      const stop = new AbortController();
      const ended = two.watch(
        prefix,
        {
          snapshot: () => {},
          changes: (_revision, events) => {
            seen.push(
              events.map((event) =>
                event.type === 'put' ? `put ${event.entry.key}` : `delete ${event.key}`,
              ),
            );
          },
          contact: () => {},
          disconnected: () => {},
        },
        { contactEveryMs: 100, signal: stop.signal },
      );
      await put(`${prefix}a`, '1');
      const then = [
        { op: 'delete', key: `${prefix}a` },
        { op: 'put', key: `${prefix}b`, value: '1' },
      ] as const;
      await one.transact({ when: [], then }, call);
      const together = [`delete ${prefix}a`, `put ${prefix}b`];
      await eventually('the transaction', () => seen.at(-1)?.join(), {
        holds: (last) => last === together.join(),
        withinMs: 5000,
      });
      stop.abort();
      await ended;
    });

    test('contact is proven again and again while nothing changes, with the time it was asked', async () => {
      const prefix = freshPrefix();
      const startedAt = systemClock.now();
      const revision = await put(`${prefix}a`, '1');
      const watch = recordWatch(two, prefix, 100);
      const contacts = await eventually('three contacts', () => watch.contacts, {
        holds: (list) => list.length >= 3,
        withinMs: 5000,
      });
      for (const contact of contacts) {
        assert.ok(contact.sentAt >= startedAt && contact.sentAt <= systemClock.now());
        assert.ok(contact.revision >= revision);
      }
      await watch.stop();
    });

    test('a contact holds everything that was written before it was asked', async () => {
      const prefix = freshPrefix();
      const watch = recordWatch(two, prefix, 20);
      for (let step = 0; step < 30; step += 1) {
        await put(`${prefix}${step % 5}`, String(step));
        const writtenAt = systemClock.now();
        await eventually('a contact after the write', () => watch.contacts.at(-1)?.sentAt ?? 0, {
          holds: (sentAt) => sentAt >= writtenAt,
          withinMs: 5000,
        });
        assert.equal(watch.state.get(`${prefix}${step % 5}`), String(step));
      }
      await watch.stop();
    });

    test('changes elsewhere do not keep a watch from proving contact', async () => {
      const watch = recordWatch(two, freshPrefix(), 50);
      const elsewhere = freshPrefix();
      for (let step = 0; step < 20; step += 1) await put(`${elsewhere}k`, String(step));
      await eventually('contacts', () => watch.contacts.length, {
        holds: (count) => count >= 5,
        withinMs: 5000,
      });
      assert.deepEqual(watch.disconnects, []);
      await watch.stop();
    });

    test('a watch goes on after the history was compacted, and loses nothing', async () => {
      const prefix = freshPrefix();
      const watch = recordWatch(two, prefix);
      await put(`${prefix}a`, '1');
      await subject.compact();
      await put(`${prefix}a`, '2');
      await eventually('the value after', () => watch.state.get(`${prefix}a`), {
        holds: (value) => value === '2',
        withinMs: 5000,
      });
      await watch.stop();
    });

    test('a watch ends when its signal aborts, and reports nothing afterwards', async () => {
      const prefix = freshPrefix();
      const watch = recordWatch(two, prefix);
      await eventually('the snapshot', () => watch.snapshots, {
        holds: (count) => count === 1,
        withinMs: 5000,
      });
      await watch.stop();
      await put(`${prefix}a`, '1');
      await one.range(prefix, call);
      assert.deepEqual(watch.events, []);
    });

    test('a watch whose client is closed ends with that error, and one whose handler throws with the thrown one', async () => {
      const client = subject.connect();
      const watch = recordWatch(client, freshPrefix());
      await eventually('a contact', () => watch.contacts.length, {
        holds: (count) => count > 0,
        withinMs: 5000,
      });
      await client.close();
      await assertDcsError(watch.stop(), 'not-sent', 'closed');
      const prefix = freshPrefix();
      const started = deferred();
      const handler = {
        snapshot: () => started.resolve(),
        changes: broken,
        contact: nothing,
        disconnected: nothing,
      };
      const ended = two.watch(prefix, handler, { contactEveryMs: 100, signal: AbortSignal.timeout(5000) });
      const refused = assert.rejects(ended, RangeError);
      await started.promise;
      await put(`${prefix}a`, '1');
      await refused;
    });

    test('the store names its members, one of them its leader', async () => {
      const members = await one.members(call);
      assert.equal(members.filter((member) => member.isLeader).length, 1);
    });

    test('a closed client refuses, and says that nothing was sent', async () => {
      const client = subject.connect();
      await client.close();
      await assertDcsError(client.get('/k', call), 'not-sent', 'closed');
    });
  });
}
