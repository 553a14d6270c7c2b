/** Where members are in the WAL, as a router finds out: real servers, lost connections, and stalls of its own. */
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MatriarchError, systemClock } from '../../src/base/index.ts';
import { type MemberPlace, Positions } from '../../src/router/positions.ts';
import { NO_TLS } from '../../src/router/server-tls.ts';
import type { Position } from '../../src/routing/index.ts';
import { freshLoopback } from '../support/loopback.ts';
import { startAs, until } from '../support/postgres.ts';
import { sql } from '../support/sql.ts';
import { recordingLog } from '../support/recording-log.ts';
import { aRouter, aStage } from '../support/router.ts';

const { now } = systemClock;
const APP = { username: 'app', password: 'app' };

interface Polled {
  readonly positions: Positions;
  readonly answers: { readonly member: string; readonly position: Position }[];
  readonly silences: string[];
  readonly forgotten: () => number;
}

function poll(
  t: TestContext,
  places: readonly MemberPlace[],
  {
    periodMs = 50,
    timeoutMs = 5000,
    credential = async () => await Promise.resolve(APP),
  }: {
    readonly periodMs?: number;
    readonly timeoutMs?: number;
    readonly credential?: () => Promise<typeof APP>;
  } = {},
): Polled {
  const stopping = new AbortController();
  const answers: Polled['answers'] = [];
  const silences: string[] = [];
  let forgotten = 0;
  const positions = new Positions({
    settings: () => ({ periodMs, timeoutMs, database: 'app', tls: NO_TLS }),
    credential,
    forgetCredential: () => {
      forgotten += 1;
    },
    clock: systemClock,
    log: recordingLog().log,
    signal: stopping.signal,
    answered: (member, position) => answers.push({ member, position }),
    silent: (member) => silences.push(member),
  });
  t.after(() => {
    stopping.abort();
    positions.close();
  });
  positions.setMembers(places);
  return { positions, answers, silences, forgotten: () => forgotten };
}

test('members say where they are', { timeout: 120_000 }, async (suite) => {
  const stage = await aStage(suite);
  const { n1, n2 } = stage.nodes;
  const both = [n1, n2].map(({ name, address }) => ({ name, ...address }));
  await sql(n1, 'CREATE TABLE t (id int)');
  const write = async (): Promise<number> => {
    await sql(n1, 'INSERT INTO t VALUES (1)');
    const [row] = await sql(n1, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::text AS lsn");
    return Number(row?.['lsn']);
  };

  await suite.test('a primary tells what it wrote, a standby what it replayed', async (t) => {
    const { positions } = poll(t, both);
    const lsn = await write();
    const standby = await positions.watch('n2', lsn, { deadline: now() + 5000 });
    const primary = await positions.ask('n1');
    assert(primary !== undefined && standby !== undefined);
    assert.deepEqual([primary.isInRecovery, standby.isInRecovery], [false, true]);
    assert.deepEqual([primary.timeline, standby.timeline], [1, 1]);
    assert.deepEqual(
      [primary.replayLsn, standby.insertLsn, standby.writeLsn],
      [undefined, undefined, undefined],
    );
    assert((primary.insertLsn ?? 0) >= lsn && (standby.replayLsn ?? 0) >= lsn);
    assert.deepEqual([standby.isStreaming, standby.isReplayPaused], [true, false]);
    assert((standby.boundLsn ?? 0) >= (standby.replayLsn ?? 0));
    assert.equal(primary.boundLsn, undefined);
    assert(Math.abs((standby.replayedCommitAtMs ?? 0) - Date.now()) < 10_000);
  });

  await suite.test('one question answers all who ask meanwhile, and is sent after they asked', async (t) => {
    const { positions, answers } = poll(t, both, { periodMs: 60_000 });
    await until('both have answered', async () => answers.length === 2);
    const askedAt = now();
    const told = await Promise.all(Array.from({ length: 100 }, () => positions.ask('n2')));
    assert.equal(answers.length, 3);
    for (const position of told) assert((position?.askedAt ?? 0) >= askedAt);
    assert.equal(positions.latest('n2'), told[0]);
  });

  await suite.test(
    'who waits for a position gets it when it is reached, or nothing at the deadline',
    async (t) => {
      const { positions } = poll(t, both);
      await sql(n2, 'SELECT pg_wal_replay_pause()');
      const lsn = await write();
      const startedAt = now();
      assert.equal(await positions.watch('n2', lsn, { deadline: startedAt + 200 }), undefined);
      assert(now() - startedAt >= 199 && now() - startedAt < 1000);
      const waiting = positions.watch('n2', lsn, { deadline: now() + 10_000 });
      const stopping = new AbortController();
      const given = positions.watch('n2', lsn, { deadline: now() + 10_000, signal: stopping.signal });
      stopping.abort();
      assert.equal(await given, undefined);
      assert.equal((await positions.ask('n2'))?.isReplayPaused, true);
      // What it may be redoing lies within what it has received; by the short question and by the whole one.
      await until('it has received more than it has replayed', async () => {
        const told = await positions.ask('n2');
        return (told?.boundLsn ?? 0) >= lsn && (told?.replayLsn ?? lsn) < lsn;
      });
      const anew = poll(
        t,
        [both[1], both[0]].filter((one) => one !== undefined),
      ).positions;
      const whole = await anew.ask('n2');
      assert((whole?.boundLsn ?? 0) >= lsn && (whole?.replayLsn ?? lsn) < lsn);
      await sql(n2, 'SELECT pg_wal_replay_resume()');
      assert(((await waiting)?.replayLsn ?? 0) >= lsn);
    },
  );

  await suite.test(
    'what was known over a lost connection is forgotten at once, and the next has another number',
    async (t) => {
      const { positions, silences } = poll(t, both, { periodMs: 60_000 });
      const before = await positions.ask('n2');
      assert(before !== undefined);
      await sql(n2, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
      await until('it is forgotten', async () => positions.latest('n2') === undefined, 2000);
      assert.deepEqual(silences, ['n2']);
      const after = await positions.ask('n2');
      assert((after?.connection ?? 0) > before.connection);
    },
  );

  await suite.test('a server that is down has no position, and has one again when it is back', async (t) => {
    const { positions, silences } = poll(t, both);
    await until('it is known', async () => positions.latest('n2') !== undefined);
    await n2.control.stop({ mode: 'immediate', deadlineMs: 5000 });
    // A question that was under way may have been answered just before.
    await until('it does not answer', async () => (await positions.ask('n2')) === undefined);
    assert.equal(positions.latest('n2'), undefined);
    assert.equal(await positions.watch('n2', 0, { deadline: now() + 5000 }), undefined);
    assert(silences.includes('n2'));
    await until('the other one is known', async () => positions.latest('n1') !== undefined);
    await startAs(n2, 'standby', n1);
    await until('it is known again', async () => positions.latest('n2') !== undefined, 5000);
  });

  await suite.test('a stall of the router is not a silence of the member', async (t) => {
    const { positions, silences } = poll(t, both, { periodMs: 60_000, timeoutMs: 1500 });
    await until('it has answered', async () => positions.latest('n2') !== undefined);
    silences.length = 0;
    const asked = positions.ask('n2');
    // The question is on its way.
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    const end = now() + 2000;
    while (now() < end);
    assert.notEqual(await asked, undefined);
    assert.deepEqual(silences, []);
  });

  await suite.test('a server that accepts and says nothing is silent after the timeout', async (t) => {
    const host = freshLoopback();
    const sockets = new Set<Socket>();
    const dumb = createServer((socket) => void sockets.add(socket.on('error', () => undefined)));
    await new Promise<void>((resolve) => dumb.listen(5432, host, resolve));
    t.after(() => {
      for (const socket of sockets) socket.destroy();
      dumb.close();
    });
    const { positions, silences } = poll(t, [...both, { name: 'dumb', host, port: 5432 }], {
      timeoutMs: 1500,
    });
    const startedAt = now();
    assert.equal(await positions.ask('dumb'), undefined);
    assert(now() - startedAt < 4000);
    assert(silences.includes('dumb'));
    await until('the others are known', async () => positions.latest('n1') !== undefined);
  });

  await suite.test('no credential and a wrong one say nothing about the members', async (t) => {
    const none = poll(t, both, {
      credential: async () =>
        await Promise.reject(new MatriarchError('router-no-credential', 'not there yet')),
    });
    assert.equal(await none.positions.ask('n1'), undefined);
    const wrong = poll(t, both, { credential: async () => await Promise.resolve({ ...APP, password: 'x' }) });
    assert.equal(await wrong.positions.ask('n1'), undefined);
    assert.deepEqual([none.silences, wrong.silences], [[], []]);
    assert(wrong.forgotten() > 0);
  });

  await suite.test('one member alone is asked on demand only', async (t) => {
    const { positions, answers } = poll(t, both.slice(0, 1));
    await sleep(200);
    assert.equal(answers.length, 0);
    assert((await positions.ask('n1')) !== undefined);
    positions.setMembers(both);
    await until('it is polled', async () => answers.length > 4);
    positions.setMembers(both.slice(1));
    assert.equal(positions.latest('n1'), undefined);
    assert.equal(await positions.ask('n1'), undefined);
  });

  await suite.test('a router asks each node once a position_poll, over one connection', async (t) => {
    await aRouter(t, stage, ['position_poll: 50ms']);
    const seen = new Map<string, Set<string>>();
    await until('it was asked four times', async () => {
      const rows = await sql(
        n2,
        `SELECT pid::text, query_start::text FROM pg_stat_activity
         WHERE application_name = 'matriarch router' AND query LIKE '%WITH server AS%'`,
      );
      for (const { pid, query_start } of rows) {
        const starts = seen.get(String(pid)) ?? new Set();
        seen.set(String(pid), starts.add(String(query_start)));
      }
      return [...seen.values()].some(({ size }) => size >= 4);
    });
    assert.equal(seen.size, 1);
  });

  await suite.test(
    'a standby that follows a promoted server is on the new timeline at once, not at its next restart point',
    async (t) => {
      const { n3 } = stage.nodes;
      const others = [n2, n3].map(({ name, address }) => ({ name, ...address }));
      const { positions } = poll(t, others, {
        credential: async () =>
          await Promise.resolve({ username: 'matriarch_router', password: 'router-password-of-a-test' }),
      });
      assert.equal((await positions.ask('n3'))?.timeline, 1);
      await n1.control.stop({ mode: 'immediate', deadlineMs: 5000 });
      assert.equal((await n2.control.promote({ stillAllowed: () => true })).outcome, 'promoted');
      await n2.control.ensureSlots({ ensure: ['n3'] });
      await n3.control.writeConfig({ as: 'standby', upstream: n2.address, slot: 'n3' });
      await n3.control.reload();
      await until('n3 streams', async () => (await positions.ask('n3'))?.isStreaming === true);
      await until('it is known to be on timeline 2', async () => {
        return positions.latest('n3')?.timeline === 2;
      });
    },
  );
});
