/** The watch of a cluster, over the store in memory: views as keys change, and proof that they are current. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../src/base/index.ts';
import { createMemoryDcs, type Dcs } from '../../../src/dcs/index.ts';
import { type ClusterView, primaryOf, renderMember, watchCluster } from '../../../src/topology/index.ts';
import { eventually } from '../../support/eventually.ts';
import { aLayout, aPrimary } from '../../support/members.ts';
import { recordingLog } from '../../support/recording-log.ts';

const call = { timeoutMs: 1000 };

function startWatching(dcs: Dcs) {
  const views: { readonly view: ClusterView; readonly changedAt: number }[] = [];
  const contacts: number[] = [];
  const stop = new AbortController();
  const { log, lines } = recordingLog();
  const ended = watchCluster({
    dcs,
    layout: aLayout,
    clock: systemClock,
    log,
    signal: stop.signal,
    contactEveryMs: 20,
    onView: (view, changedAt) => views.push({ view, changedAt }),
    onContact: (sentAt) => contacts.push(sentAt),
  });
  return {
    views,
    contacts,
    lines,
    stop: async () => {
      stop.abort();
      await ended;
    },
  };
}

test('each change of the cluster is a view, at the instant it arrived; a change of leader is logged', async (t) => {
  const store = createMemoryDcs({ clock: systemClock, tickEveryMs: 5 });
  t.after(store.close);
  const writer = store.connect();
  const watching = startWatching(store.connect());
  await eventually('the first view', () => watching.views.length, {
    holds: (count) => count === 1,
    withinMs: 1000,
  });

  const member = renderMember(aPrimary({ name: 'db1' }));
  await writer.transact({ when: [], then: [{ op: 'put', key: aLayout.member('db1'), value: member }] }, call);
  const before = systemClock.now();
  await writer.transact({ when: [], then: [{ op: 'put', key: aLayout.leader, value: 'db1' }] }, call);
  const last = await eventually('the leader', () => watching.views.at(-1), {
    holds: (seen) => seen?.view.leader === 'db1',
    withinMs: 1000,
  });
  assert.ok(last !== undefined && last.changedAt >= before && last.changedAt <= systemClock.now());
  assert.equal(primaryOf(last.view).kind, 'primary');
  assert.equal(watching.views.length, 3);
  assert.deepEqual(
    watching.lines.map(({ event, fields }) => [event, fields['from'], fields['to']]),
    [['leader-changed', undefined, 'db1']],
  );
  await watching.stop();
});

test('a watch that breaks down is begun anew', async (t) => {
  const store = createMemoryDcs({ clock: systemClock, tickEveryMs: 5 });
  t.after(store.close);
  const { log, lines } = recordingLog();
  const stop = new AbortController();
  let views = 0;
  const ended = watchCluster({
    dcs: store.connect(),
    layout: aLayout,
    clock: systemClock,
    log,
    signal: stop.signal,
    contactEveryMs: 20,
    onView: () => {
      views += 1;
      if (views === 1) throw new Error('as the test wants');
    },
    onContact: () => undefined,
  });
  const writer = store.connect();
  await eventually('the log', () => lines.map(({ event }) => event), {
    holds: (events) => events.includes('watch-ended'),
    withinMs: 1000,
  });
  await writer.transact({ when: [], then: [{ op: 'put', key: aLayout.leader, value: 'db1' }] }, call);
  await eventually('a view after the breakdown', () => views, {
    holds: (count) => count > 1,
    withinMs: 3000,
  });
  stop.abort();
  await ended;
});

test('contact stops with the connection, while the last view stays', async (t) => {
  const store = createMemoryDcs({ clock: systemClock, tickEveryMs: 5 });
  t.after(store.close);
  const client = store.connect();
  const watching = startWatching(client);
  await eventually('contact', () => watching.contacts.length, {
    holds: (count) => count >= 2,
    withinMs: 1000,
  });
  client.setFault('cut');
  const cutAt = systemClock.now();
  await eventually('the log', () => watching.lines.map((line) => line.event), {
    holds: (events) => events.includes('dcs-watch-interrupted'),
    withinMs: 1000,
  });
  assert.deepEqual(
    watching.contacts.filter((sentAt) => sentAt > cutAt),
    [],
  );
  client.setFault('none');
  await eventually('contact again', () => watching.contacts.at(-1) ?? 0, {
    holds: (sentAt) => sentAt > cutAt,
    withinMs: 1000,
  });
  assert.equal(watching.views.length, 1);
  await watching.stop();
});
