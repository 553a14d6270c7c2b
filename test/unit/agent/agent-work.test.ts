/** What the agent does to PostgreSQL and its fence, and in which order, when something around it fails or is slow. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, copyFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { act } from '../../../src/agent/act.ts';
import { handOver } from '../../../src/agent/hand-over.ts';
import { leave } from '../../../src/agent/leave.ts';
import { look, refreshStatus } from '../../../src/agent/look.ts';
import { MemberKey } from '../../../src/agent/member-key.ts';
import { localServer, observe } from '../../../src/agent/observe.ts';
import { promote, startAsPrimary, startAsStandby } from '../../../src/agent/server-work.ts';
import { AssertionError, deferred, isRecord, parseJson } from '../../../src/base/index.ts';
import type { Dcs } from '../../../src/dcs/index.ts';
import { freshMemory } from '../../../src/ha/index.ts';
import { anAgent, aStatus } from '../../support/an-agent.ts';
import { eventually } from '../../support/eventually.ts';
import { scratchFolder } from '../../support/scratch.ts';

const call = { timeoutMs: 1000 };
const running = { kind: 'accepting', pid: 1 } as const;
const wanted = { signal: new AbortController().signal, isCurrent: () => true };
const nothing = async (): Promise<void> => await Promise.resolve();

test('a pg_controldata that fails does not end the agent of a healthy primary: it leads on', async (t) => {
  const dataDir = await realpath(await scratchFolder(t));
  // What makes a process a server of the directory: its program's name and its working directory.
  await copyFile('/bin/sleep', join(dataDir, 'postgres'));
  await chmod(join(dataDir, 'postgres'), 0o755);
  let isFailing = false;
  const { ctx, server, lines } = await anAgent(t, { dataDir });
  const inspect = async () => (isFailing ? await fails('EAGAIN') : await ctx.pg.inspect());
  const blind = { ...ctx, pg: { ...ctx.pg, inspect } };
  server.postmaster = running;
  await look(blind);
  isFailing = true;
  const sleeper = spawn(join(dataDir, 'postgres'), ['60'], { cwd: dataDir, stdio: 'ignore' });
  try {
    await look(blind);
    await look(blind);
    const { data, process, role } = localServer(ctx.state);
    deepEqual({ data, process, role }, { data: 'whole', process: 'running', role: 'primary' });
    equal(lines.filter((line) => line.event === 'inspection-failed').length, 1, 'told once');
  } finally {
    const ended = new Promise((resolve) => sleeper.once('exit', resolve));
    sleeper.kill();
    await ended;
  }
  await look(blind);
  const { data, process } = localServer(ctx.state);
  deepEqual({ data, process }, { data: 'unreadable', process: 'stopped' });
});

test('an orderly end stops PostgreSQL although housekeeping hangs', async (t) => {
  const { ctx, server, done, see } = await anAgent(t);
  server.postmaster = running;
  ok(await ctx.keeper.acquire(0));
  await see();
  await leave(ctx, { idle: () => new Promise(() => undefined) }, { publish: nothing }, 20);
  deepEqual(done, ['stop fast', 'disarm']);
  equal(ctx.keeper.isHolder, false);
});

test('an agent that ends says in its member key that PostgreSQL is stopped, before the key ends with its lease', async (t) => {
  const { ctx, server, other, see } = await anAgent(t);
  const told = async (): Promise<unknown> => {
    const entry = await other.get(ctx.layout.member('alpha'), call);
    const json = parseJson(entry?.value ?? '');
    return { state: isRecord(json) ? json['state'] : undefined, isLeased: entry?.lease === ctx.keeper.lease };
  };
  const member = new MemberKey();
  server.postmaster = running;
  ok(await ctx.keeper.acquire(0));
  await look(ctx);
  await member.publish(ctx);
  await see();
  deepEqual(await told(), { state: 'running', isLeased: true });
  await leave(ctx, { idle: nothing }, member);
  deepEqual(await told(), { state: 'stopped', isLeased: true });
});

test('PostgreSQL is not started as a primary when the store says that the key is another’s by now', async (t) => {
  const { ctx, other, done } = await anAgent(t);
  ok(await ctx.keeper.acquire(0));
  await other.transact({ when: [], then: [{ op: 'put', key: ctx.layout.leader, value: 'beta' }] }, call);
  await rejects(startAsPrimary(ctx, wanted), { code: 'agent-job-failed' });
  deepEqual(done, []);
});

test('the key is not given away when PostgreSQL turns out to be a running primary', async (t) => {
  const { ctx, server, done } = await anAgent(t);
  ok(await ctx.keeper.acquire(0));
  await look(ctx);
  const decision = {
    action: { do: 'release' },
    because: 'postgres-died-candidate-ready',
    memory: freshMemory,
  } as const;
  server.postmaster = running;
  equal(await act(ctx, decision), 'again');
  ok(ctx.keeper.isHolder);
  deepEqual(done, []);
  server.postmaster = { kind: 'stopped', stalePidFile: false };
  await act(ctx, decision);
  equal(ctx.keeper.isHolder, false);
});

test('a promotion that fails after it was abandoned leaves server and key to what came instead', async (t) => {
  let isCurrent = true;
  const { ctx, done } = await anAgent(t, {
    promote: async () => {
      isCurrent = false;
      return await Promise.resolve({ outcome: 'failed', because: 'the server has ended' });
    },
    stop: async () => {
      done.push('stop');
      return await Promise.resolve({ outcome: 'stopped', by: 'immediate', tookMs: 1 });
    },
  });
  ok(await ctx.keeper.acquire(0));
  await rejects(promote(ctx, { ...wanted, isCurrent: () => isCurrent }), { code: 'agent-job-failed' });
  ok(ctx.keeper.isHolder);
  equal(done.includes('stop'), false);
});

test('a promotion begins a timeline whose number nobody has taken before', async (t) => {
  const begun: (number | undefined)[] = [];
  const { ctx, other } = await anAgent(t, {
    promote: async ({ timeline }) => {
      begun.push(timeline);
      return await Promise.resolve({ outcome: 'cancelled' });
    },
  });
  await other.transact({ when: [], then: [{ op: 'put', key: ctx.layout.timeline, value: '6' }] }, call);
  ok(await ctx.keeper.acquire(0));
  await rejects(promote(ctx, wanted), { code: 'agent-job-failed' });
  await rejects(promote(ctx, wanted), { code: 'agent-job-failed' });
  deepEqual(begun, [7, 8]);
  equal((await other.get(ctx.layout.timeline, call))?.value, '8');
});

test('a former primary does not take the key where a number behind its own was taken, and knows it from then on', async (t) => {
  const { ctx, server, other, see } = await anAgent(t);
  server.status = aStatus({ inRecovery: false, timeline: 3 });
  server.postmaster = running;
  await look(ctx);
  await see();
  const acquires = async (): Promise<boolean> => {
    const action = { do: 'acquire-leader', syncRevision: 0, failsafeRevision: 0 } as const;
    await act(ctx, { action, because: 'primary-without-leader-key', memory: freshMemory });
    return ctx.keeper.isHolder;
  };
  await other.transact({ when: [], then: [{ op: 'put', key: ctx.layout.timeline, value: '4' }] }, call);
  equal(await acquires(), false);
  equal((await observe(ctx, undefined)).cluster.takenTimeline, 4);
  await other.transact({ when: [], then: [{ op: 'put', key: ctx.layout.timeline, value: '3' }] }, call);
  equal(await acquires(), true);
});

test('a promotion begins a timeline later than all that is published, and than its own', async (t) => {
  const begun: (number | undefined)[] = [];
  const { ctx, server, other, see } = await anAgent(t, {
    promote: async ({ timeline }) => {
      begun.push(timeline);
      return await Promise.resolve({ outcome: 'cancelled' });
    },
  });
  server.postmaster = running;
  server.status = aStatus({ inRecovery: true, timeline: 3 });
  await look(ctx);
  ok(await ctx.keeper.acquire(0));
  await rejects(promote(ctx, wanted), { code: 'agent-job-failed' });
  const history = JSON.stringify([[8, 100, 'no recovery target specified']]);
  await other.transact({ when: [], then: [{ op: 'put', key: ctx.layout.history, value: history }] }, call);
  await see();
  await rejects(promote(ctx, wanted), { code: 'agent-job-failed' });
  deepEqual(begun, [4, ctx.state.view.newestTimeline + 1]);
  ok(ctx.state.view.newestTimeline >= 8);
});

test('no promotion before the store says that nobody else may lead, and none when the key sync changes meanwhile', async (t) => {
  const seen: unknown[] = [];
  const { ctx, server, other, see } = await anAgent(t, {
    promote: async () => {
      seen.push((await other.get(ctx.layout.sync, call))?.value);
      return { outcome: 'cancelled' };
    },
  });
  const { layout } = ctx;
  const put = (key: string, value: string) =>
    other.transact({ when: [], then: [{ op: 'put', key, value }] }, call);
  await put(layout.config, '{"synchronous_mode":true}');
  await putBeta(other, layout.member('beta'));
  await see();
  server.postmaster = running;
  server.status = aStatus({ inRecovery: true });
  await look(ctx);
  ok(await ctx.keeper.acquire(0));
  await rejects(promote(ctx, wanted), { code: 'agent-job-failed' });
  deepEqual(seen, ['{"leader":"alpha","quorum":1,"sync_standby":"beta"}']);
  const theirs = '{"leader":"beta","quorum":0,"sync_standby":"alpha"}';
  await put(layout.sync, theirs);
  const get: Dcs['get'] = async (key, how) => {
    const entry = await ctx.dcs.get(key, how);
    if (key === layout.sync) await put(key, theirs);
    return entry;
  };
  await rejects(promote({ ...ctx, dcs: { ...ctx.dcs, get } }, wanted), {
    message: /the key sync has changed/,
  });
  equal(seen.length, 1);
});

test('a new cluster has its identity in the store before it takes its first write', async (t) => {
  const { ctx, done, other } = await anAgent(t);
  ctx.state.isBootstrapping = true;
  await look(ctx);
  ok(await ctx.keeper.acquire(0));
  const starting = startAsPrimary(
    { ...ctx, pg: { ...ctx.pg, start: async () => await fails('no start') } },
    wanted,
  );
  await rejects(starting);
  equal((await other.get(ctx.layout.initialize, call))?.value, '7');
  await startAsPrimary(ctx, wanted);
  ok(done.includes('start as primary'));
});

test('a fence is never armed with a deadline that has passed, for it would strike at once', async (t) => {
  const { ctx, done, endKeepAlive, move } = await anAgent(t);
  ok(await ctx.keeper.acquire(0));
  await endKeepAlive();
  move(4500);
  ok(await ctx.keeper.verify(), 'the store still has the key as ours');
  await rejects(startAsPrimary(ctx, wanted), { code: 'agent-job-failed' });
  deepEqual(done, []);
});

test('a start that was given up while the configuration was written does not start PostgreSQL', async (t) => {
  let isCurrent = true;
  const { ctx, done } = await anAgent(t, {
    writeConfig: async () => {
      isCurrent = false;
      return await Promise.resolve({ changed: true });
    },
  });
  await startAsStandby(ctx, { ...wanted, isCurrent: () => isCurrent }, undefined);
  deepEqual(done, []);
});

test('a hand-over whose candidate does not confirm takes PostgreSQL back up, although the request cannot be cleared', async (t) => {
  const { ctx, server, done, lines, other, move, see } = await anAgent(t);
  server.postmaster = running;
  ok(await ctx.keeper.acquire(0));
  const value = '{"leader":"alpha","member":"beta"}';
  await other.transact({ when: [], then: [{ op: 'put', key: ctx.layout.failover, value }] }, call);
  await putBeta(other, ctx.layout.member('beta'));
  await see();
  const dcs = { ...ctx.dcs, transact: () => fails('the store is slow') };
  const askOne = async (): Promise<undefined> => {
    move(2000);
    await eventually('the lease is kept alive', () => ctx.keeper.deadline - ctx.clock.now(), {
      holds: (leftMs) => leftMs === 4000,
      withinMs: 1000,
    });
    return undefined;
  };
  const handing = handOver({ ...ctx, dcs, peers: { ...ctx.peers, askOne } }, wanted, 'beta');
  await rejects(handing, { code: 'agent-job-failed' });
  deepEqual(done, ['checkpoint', 'stop fast', 'disarm', 'arm', 'start as primary']);
  ok(lines.some((line) => line.event === 'request-not-cleared'));
});

test('a hand-over that was given up neither gives the key away nor starts PostgreSQL again', async (t) => {
  const { ctx, server, done, other, see } = await anAgent(t);
  server.postmaster = running;
  ok(await ctx.keeper.acquire(0));
  await see();
  let isCurrent = true;
  const askOne = async (): Promise<undefined> => {
    isCurrent = false;
    return await Promise.resolve(undefined);
  };
  await putBeta(other, ctx.layout.member('beta'));
  await see();
  await handOver(
    { ...ctx, peers: { ...ctx.peers, askOne } },
    { ...wanted, isCurrent: () => isCurrent },
    'beta',
  );
  deepEqual(done, ['checkpoint', 'stop fast', 'disarm']);
  ok(ctx.keeper.isHolder);
});

test('the answer of a server that has been replaced meanwhile is not taken for the new one’s', async (t) => {
  const answer = deferred<ReturnType<typeof aStatus>>();
  const { ctx, server } = await anAgent(t, { status: () => answer.promise });
  server.postmaster = running;
  ctx.state.inspection = await ctx.pg.inspect();
  const asked = refreshStatus(ctx);
  server.postmaster = { kind: 'accepting', pid: 2 };
  ctx.state.inspection = await ctx.pg.inspect();
  answer.resolve(aStatus({ timeline: 9 }));
  await asked;
  equal(ctx.state.status, undefined);
});

test('whoever asks PostgreSQL while it is being asked waits for that answer: one question at a time', async (t) => {
  let questions = 0;
  const answer = deferred<ReturnType<typeof aStatus>>();
  const { ctx } = await anAgent(t, {
    status: async () => {
      questions += 1;
      return await answer.promise;
    },
  });
  const asked = [refreshStatus(ctx), refreshStatus(ctx), refreshStatus(ctx)];
  answer.resolve(aStatus({ timeline: 4 }));
  await Promise.all(asked);
  deepEqual([questions, ctx.state.status?.timeline], [1, 4]);
  await refreshStatus(ctx);
  equal(questions, 2);
});

test('a bug of our own in an action ends the loop, a failure of the world does not', async (t) => {
  let cause = new Error('disk full');
  const { ctx } = await anAgent(t, { writeConfig: async () => await Promise.reject(cause) });
  const decision = {
    action: { do: 'follow', upstream: 'beta' },
    because: 'upstream-changed',
    memory: freshMemory,
  } as const;
  equal(await act(ctx, decision), 'rest');
  cause = new AssertionError('a broken invariant');
  await rejects(act(ctx, decision), AssertionError);
});

async function putBeta(store: Dcs, key: string): Promise<void> {
  const value = '{"conn_url":"postgres://beta/postgres"}';
  await store.transact({ when: [], then: [{ op: 'put', key, value }] }, call);
}

async function fails(because: string): Promise<never> {
  await Promise.resolve();
  throw new Error(because);
}
