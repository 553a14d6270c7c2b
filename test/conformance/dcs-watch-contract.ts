/** What every store's watch must do: all changes, once, in order, with proof of contact, until it is told to end. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deferred, systemClock } from '../../src/base/index.ts';
import { assertDcsError, call, freshPrefix, type Subject, SuiteStore } from '../support/dcs-subject.ts';
import { eventually } from '../support/eventually.ts';
import { recordWatch } from '../support/watch-recorder.ts';

const nothing = (): void => {};
const broken = (): never => {
  throw new RangeError('a bug in the handler');
};

/** Declares the suite for one kind of store. */
export function describeDcsWatchContract(store: string, open: () => Promise<Subject>): void {
  describe(`a watch of ${store} keeps its contract`, () => {
    const its = new SuiteStore(open);

    test('a watch starts with a snapshot and reports each change once, in order', async () => {
      const prefix = freshPrefix();
      await its.put(`${prefix}a`, '0');
      const watch = recordWatch(its.two, prefix);
      await watch.started();
      assert.deepEqual([...watch.state], [[`${prefix}a`, '0']]);
      for (let step = 1; step <= 50; step += 1) await its.put(`${prefix}a`, String(step));
      await its.remove(`${prefix}a`);
      await its.remove(`${prefix}never`);
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
      const watch = recordWatch(its.two, prefix);
      await watch.started();
      await its.put(`${prefix}a`, '1');
      const then = [
        { op: 'delete', key: `${prefix}a` },
        { op: 'put', key: `${prefix}b`, value: '2' },
      ] as const;
      await its.one.transact({ when: [], then }, call);
      await eventually('all changes', () => watch.events.length, {
        holds: (count) => count >= 3,
        withinMs: 5000,
      });
      assert.deepEqual(watch.batches, [[`put ${prefix}a=1`], [`delete ${prefix}a`, `put ${prefix}b=2`]]);
      await watch.stop();
    });

    test('contact is proven again and again while nothing changes, with the time it was asked', async () => {
      const prefix = freshPrefix();
      const startedAt = systemClock.now();
      const revision = await its.put(`${prefix}a`, '1');
      const watch = recordWatch(its.two, prefix, 100);
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
      const watch = recordWatch(its.two, prefix, 20);
      for (let step = 0; step < 30; step += 1) {
        await its.put(`${prefix}${step % 5}`, String(step));
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
      const watch = recordWatch(its.two, freshPrefix(), 50);
      const elsewhere = freshPrefix();
      for (let step = 0; step < 20; step += 1) await its.put(`${elsewhere}k`, String(step));
      await eventually('contacts', () => watch.contacts.length, {
        holds: (count) => count >= 5,
        withinMs: 5000,
      });
      assert.deepEqual(watch.disconnects, []);
      await watch.stop();
    });

    test('a watch goes on after the history was compacted, and loses nothing', async () => {
      const prefix = freshPrefix();
      const watch = recordWatch(its.two, prefix);
      await its.put(`${prefix}a`, '1');
      await its.subject.compact();
      await its.put(`${prefix}a`, '2');
      await eventually('the value after', () => watch.state.get(`${prefix}a`), {
        holds: (value) => value === '2',
        withinMs: 5000,
      });
      await watch.stop();
    });

    test('a watch ends when its signal aborts, and reports nothing afterwards', async () => {
      const prefix = freshPrefix();
      const watch = recordWatch(its.two, prefix);
      await watch.started();
      await watch.stop();
      await its.put(`${prefix}a`, '1');
      await its.one.range(prefix, call);
      assert.deepEqual(watch.events, []);
    });

    test('a watch whose client is closed ends with that error, and one whose handler throws with the thrown one', async () => {
      const client = its.subject.connect();
      const watch = recordWatch(client, freshPrefix());
      await watch.started();
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
      const ended = its.two.watch(prefix, handler, {
        contactEveryMs: 100,
        signal: AbortSignal.timeout(5000),
      });
      const refused = assert.rejects(ended, RangeError);
      await started.promise;
      await its.put(`${prefix}a`, '1');
      await refused;
    });
  });
}
