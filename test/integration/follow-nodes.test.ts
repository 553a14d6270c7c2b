/** How the servers of a list are asked: with a role and without, and what happens with those that do not answer. */
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../src/base/index.ts';
import { followNodes } from '../../src/router/follow-nodes.ts';
import type { OwnRole } from '../../src/router/own-connection.ts';
import { NO_TLS } from '../../src/router/server-tls.ts';
import { type ClusterView, emptyView, primaryOf } from '../../src/topology/index.ts';
import { freshLoopback } from '../support/loopback.ts';
import { aPrimary, until } from '../support/postgres.ts';
import { type LogLine, recordingLog } from '../support/recording-log.ts';

const APP: OwnRole = { username: 'app', password: 'app', database: 'app' };

interface Followed {
  readonly view: () => ClusterView;
  readonly lines: readonly LogLine[];
}

/** Follows servers at these hosts, named by their place in the list, until the test ends. */
function follow(t: TestContext, hosts: readonly string[], role: OwnRole | undefined): Followed {
  const stopping = new AbortController();
  const { log, lines } = recordingLog();
  let view = emptyView;
  const nodes = hosts.map((host, index) => ({
    name: `n${index + 1}`,
    host,
    port: 5432,
    datacenter: 'dc1',
    tags: {},
  }));
  const ended = followNodes({
    nodes,
    role: () => role,
    tls: () => NO_TLS,
    periodMs: 100,
    timeoutMs: 500,
    freshMs: 1000,
    clock: systemClock,
    log,
    signal: stopping.signal,
    onView: (next) => {
      view = next;
    },
    onContact: () => undefined,
  });
  t.after(async () => {
    stopping.abort();
    await ended;
  });
  return { view: () => view, lines };
}

const silences = (lines: readonly LogLine[]): unknown[] =>
  lines.filter(({ event }) => event === 'node-silent').map(({ fields }) => fields['node']);

test('any role can ask a server what it is; one that accepts and says nothing delays nobody and is told once', async (t) => {
  const primary = await aPrimary(t, 'n1');
  const dumb = freshLoopback();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => server.listen(5432, dumb, resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { view, lines } = follow(t, [primary.address.host, dumb], APP);
  await until('n1 leads', async () => primaryOf(view()).kind === 'primary');
  await until('n2 was asked again and again', async () => sockets.size >= 3);
  const found = primaryOf(view());
  assert(found.kind === 'primary');
  assert.deepEqual([found.member.name, found.member.timeline], ['n1', 1]);
  assert.equal(view().members.get('n2')?.state, 'silent');
  assert.deepEqual(silences(lines), ['n2']);
});

test('a role that may not log in learns nothing, and the log says why', async (t) => {
  const primary = await aPrimary(t, 'n1');
  const { view, lines } = follow(t, [primary.address.host], { ...APP, password: 'wrong' });
  await until('it was refused', async () => silences(lines).length === 1);
  assert.deepEqual(primaryOf(view()), { kind: 'none', because: 'no-node-answers' });
  const because = lines.find(({ event }) => event === 'node-silent')?.fields['because'];
  assert.match(String(because), /password authentication failed.*router-no-server/);
});

test('without a role one server is found to be there, and to be gone', async (t) => {
  const primary = await aPrimary(t, 'n1');
  const { view, lines } = follow(t, [primary.address.host], undefined);
  await until('n1 leads', async () => primaryOf(view()).kind === 'primary');
  await primary.control.stop({ mode: 'immediate', deadlineMs: 5000 });
  await until('it is gone', async () => {
    const found = primaryOf(view());
    return found.kind === 'none' && found.because === 'leader-not-running';
  });
  assert.deepEqual(silences(lines), ['n1']);
});
