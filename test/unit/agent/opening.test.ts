/** Which starts are closed to clients, and the steps by which the agent opens a server that was. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { statusDocument } from '../../../src/agent/documents.ts';
import { look } from '../../../src/agent/look.ts';
import { memberJson } from '../../../src/agent/member-key.ts';
import { OpeningKeeper } from '../../../src/agent/opening.ts';
import { rejoin, startAsPrimary, startAsStandby } from '../../../src/agent/server-work.ts';
import type { DesiredConfig, RewindResult, Synchrony } from '../../../src/postgres/index.ts';
import { type AnAgent, anAgent, aStatus } from '../../support/an-agent.ts';

const job = { signal: new AbortController().signal, isCurrent: () => true };
const QUORUM = '{"synchronous_mode":"quorum"}';

type Written = DesiredConfig['isClosed'];

/** An agent whose store has this configuration, or has not been heard; what its files were told, in order. */
async function anAgentOf(
  t: TestContext,
  config: string | undefined,
  calls: Parameters<typeof anAgent>[1] = {},
) {
  const written: Written[] = [];
  const agent = await anAgent(t, {
    writeConfig: async (desired) => {
      written.push(desired.isClosed);
      agent.done.push('files');
      return await Promise.resolve({ changed: true });
    },
    ...calls,
  });
  const { ctx, other, see } = agent;
  if (config !== undefined) {
    const put = { op: 'put', key: ctx.layout.config, value: config } as const;
    await other.transact({ when: [], then: [put] }, { timeoutMs: 1000 });
    await see();
  }
  await look(ctx);
  return { ...agent, written };
}

test('a primary that commits wait in starts closed to clients', async (t) => {
  const closed = async (config: string, isBootstrapping = false): Promise<readonly Written[]> => {
    const { ctx, written, done } = await anAgentOf(t, config);
    ok(await ctx.keeper.acquire(0));
    ctx.state.isBootstrapping = isBootstrapping;
    await startAsPrimary(ctx, job);
    ok(done.indexOf('files') < done.indexOf('start as primary'));
    return written;
  };
  deepEqual(await closed(QUORUM), [true]);
  deepEqual(await closed('{}'), [undefined], 'an asynchronous one as ever');
  deepEqual(await closed(QUORUM, true), [false], 'a new cluster has nothing to show');
});

test('so does a former primary as a standby, and any other standby as its files say', async (t) => {
  const closed = async (config: string | undefined, isStandby: boolean): Promise<readonly Written[]> => {
    const hasStandbySignal = async (): Promise<boolean> => await Promise.resolve(isStandby);
    const { ctx, written } = await anAgentOf(t, config, { hasStandbySignal });
    await startAsStandby(ctx, job, undefined);
    return written;
  };
  deepEqual(await closed(QUORUM, false), [true]);
  deepEqual(await closed(QUORUM, true), [undefined]);
  deepEqual(await closed('{}', false), [undefined]);
  deepEqual(await closed(undefined, false), ['if-durable'], 'the store is silent');
});

test('before a rewind too, for one that fails leaves a standby with all of its commits; one that is done opens it', async (t) => {
  const closed = async (rewind: RewindResult): Promise<readonly Written[]> => {
    const { ctx, other, see, written } = await anAgentOf(t, QUORUM, {
      rewind: async () => await Promise.resolve(rewind),
    });
    const value = '{"conn_url":"postgres://beta:5432/postgres"}';
    const put = { op: 'put', key: ctx.layout.member('beta'), value } as const;
    await other.transact({ when: [], then: [put] }, { timeoutMs: 1000 });
    await see();
    await rejoin(ctx, job, { from: 'beta', isDiverged: true }).catch(() => undefined);
    return written;
  };
  deepEqual(await closed({ outcome: 'failed', because: 'the source is gone', damaged: false }), [true]);
  deepEqual(await closed({ outcome: 'done', tookMs: 1 }), [true, false, undefined]);
});

const synchrony = (flushLsn: number): Synchrony => ({
  setting: 'ANY 1 ("beta")',
  flushLsn: 100,
  isCheckpointerIdle: true,
  weakenedFor: [],
  standbys: [{ name: 'beta', isStreaming: true, isCounted: true, flushLsn }],
});

/** A primary of ours that runs, and is closed. */
async function aClosedPrimary(t: TestContext, problems: readonly string[] = []) {
  let flushLsn = 99;
  const agent = await anAgentOf(t, QUORUM, {
    synchrony: async () => await Promise.resolve(synchrony(flushLsn)),
    hbaProblems: async () => await Promise.resolve(problems),
  });
  const { ctx, server, done } = agent;
  server.postmaster = { kind: 'accepting', pid: 1 };
  server.status = aStatus({ isClosed: true });
  ctx.state.configured = { as: 'primary', upstream: undefined };
  ctx.state.requirement = 'ANY 1 ("beta")';
  await look(ctx);
  done.length = 0;
  const keeper = new OpeningKeeper();
  return {
    ...agent,
    keep: async (confirmed: number) => {
      flushLsn = confirmed;
      await keeper.keep(ctx, 'primary');
    },
  };
}

const told = ({ lines }: Pick<AnAgent, 'lines'>): readonly string[] =>
  lines.map(({ event }) => event).filter((event) => /client|hba/.test(event));

test('it is opened when its standby has all: files, a look at them, a reload, and it is said once it is so', async (t) => {
  const agent = await aClosedPrimary(t);
  const { ctx, server, written, done, keep } = agent;
  equal(memberJson(ctx).closed_to_clients, true);
  equal(statusDocument(ctx)['closed_to_clients'], true);
  await keep(99);
  await keep(99);
  deepEqual([written, told(agent)], [[], ['closed-to-clients']]);
  await keep(100);
  deepEqual([written, done], [[false], ['files', 'reload']]);
  await keep(100);
  deepEqual(written, [false, false], 'until the server has read them');
  server.status = aStatus({ isClosed: false });
  await look(ctx);
  await keep(100);
  deepEqual([written.length, told(agent)], [2, ['closed-to-clients', 'opened-to-clients']]);
  equal('closed_to_clients' in memberJson(ctx), false);
});

test('a pg_hba that the server would not read is told, and it stays closed', async (t) => {
  const agent = await aClosedPrimary(t, ['line 7: invalid connection type']);
  await agent.keep(100);
  deepEqual(
    [agent.written, agent.done],
    [
      [false, true],
      ['files', 'files'],
    ],
  );
  deepEqual(told(agent), ['pg-hba-wrong']);
});

test('a former primary as a standby is opened on the timeline of a leader that is a primary, not before', async (t) => {
  const { ctx, server, other, see, written } = await anAgentOf(t, QUORUM);
  const streams = async (timeline: number, leader: object): Promise<number> => {
    const key = ctx.layout.member('beta');
    const value = JSON.stringify({ conn_url: 'postgres://beta:5432/postgres', state: 'running', ...leader });
    const put = { op: 'put', key: ctx.layout.leader, value: 'beta' } as const;
    await other.transact({ when: [], then: [put, { op: 'put', key, value }] }, { timeoutMs: 1000 });
    await see();
    server.status = aStatus({ inRecovery: true, isClosed: true, timeline, replicationState: 'streaming' });
    await look(ctx);
    await new OpeningKeeper().keep(ctx, 'standby');
    return written.length;
  };
  server.postmaster = { kind: 'accepting', pid: 1 };
  ctx.state.configured = { as: 'standby', upstream: 'beta' };
  equal(
    await streams(1, { role: 'replica', timeline: 1 }),
    0,
    'it will be promoted, perhaps without what is here',
  );
  equal(await streams(1, { role: 'primary', timeline: 2 }), 0, 'the end of the old timeline');
  equal(await streams(2, { role: 'primary', timeline: 2, closed_to_clients: true }), 1);
  deepEqual(written, [false]);
});

test('without having heard the store nothing is opened: it may be asynchronous for all we know', async (t) => {
  const { ctx, server, written } = await anAgentOf(t, undefined);
  server.postmaster = { kind: 'accepting', pid: 1 };
  server.status = aStatus({ inRecovery: true, isClosed: true });
  await look(ctx);
  await new OpeningKeeper().keep(ctx, 'standby');
  deepEqual(written, []);
});
