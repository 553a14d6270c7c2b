/** A cluster that is being made: whose it is when claims, answers and agents are lost on the way, and what is kept of it. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { act } from '../../../src/agent/act.ts';
import { Duties } from '../../../src/agent/duties.ts';
import { look } from '../../../src/agent/look.ts';
import { MemberKey } from '../../../src/agent/member-key.ts';
import { localServer, observe } from '../../../src/agent/observe.ts';
import { bootstrap, startAsPrimary } from '../../../src/agent/server-work.ts';
import { type AnAgent, anAgent } from '../../support/an-agent.ts';
import { eventually } from '../../support/eventually.ts';

const call = { timeoutMs: 1000 };
const job = { signal: new AbortController().signal, isCurrent: () => true };
/** What pretended servers have in pg_control. */
const OUR_ID = '7';

const nothing = async (): Promise<void> => await Promise.resolve();

/** `initialize` as somebody wrote it, and seen by the agent. */
async function initialized({ ctx, other, see }: AnAgent, claim: { value: string; lease?: string }) {
  await other.transact({ when: [], then: [{ op: 'put', key: ctx.layout.initialize, ...claim }] }, call);
  await see();
}

/** The directory is as initdb left it. */
async function madeByInitdb({ ctx }: AnAgent): Promise<void> {
  ctx.state.inspection = { ...(await ctx.pg.inspect()), data: { kind: 'initialized', isUnclaimed: true } };
}

test('what initdb left in an earlier life is no cluster, unless the store knows it as one', async (t) => {
  const agent = await anAgent(t);
  const { state } = agent.ctx;
  const seen = (): unknown => {
    const { data, systemId } = localServer(state);
    return { data, systemId };
  };
  const unborn = { data: 'half-made', systemId: undefined };
  const cluster = { data: 'whole', systemId: OUR_ID };
  await madeByInitdb(agent);
  deepEqual(seen(), unborn, 'no cluster yet');
  state.isBootstrapping = true;
  deepEqual(seen(), cluster, 'this life makes it');
  state.isBootstrapping = false;
  await initialized(agent, { value: '' });
  deepEqual(seen(), unborn, 'somebody makes one');
  await initialized(agent, { value: '8' });
  deepEqual(seen(), unborn, 'another one was made');
  await initialized(agent, { value: OUR_ID });
  deepEqual(seen(), cluster, 'it was made known before that life ended');
});

test('a claim to make the cluster is ours when it hangs on our lease, though its answer was lost', async (t) => {
  const agent = await anAgent(t);
  const { ctx, done, other } = agent;
  const isOurs = async (): Promise<boolean> => (await observe(ctx, undefined)).cluster.isClaimOurs;
  const foreign = await other.grantLease(5000, call);
  await initialized(agent, { value: '', lease: foreign.lease });
  equal(await isOurs(), false);
  await bootstrap(ctx, job);
  deepEqual(done, [], 'another member makes it');
  const { lease } = ctx.keeper;
  ok(lease !== undefined);
  await initialized(agent, { value: '', lease });
  equal(await isOurs(), true);
  await bootstrap(ctx, job);
  deepEqual(done, ['initdb']);
  equal(ctx.state.isBootstrapping, true);
  await initialized(agent, { value: OUR_ID });
  equal(await isOurs(), false, 'it is made');
});

test('where others make the cluster, nothing is claimed', async (t) => {
  const { ctx, done, other } = await anAgent(t);
  const { bootstrap: settings } = ctx.config;
  const waiting = {
    ...ctx,
    config: { ...ctx.config, bootstrap: { ...settings, made_by: 'others' } },
  } as const;
  await rejects(bootstrap(waiting, job), { code: 'agent-job-failed' });
  deepEqual(done, []);
  equal(await other.get(ctx.layout.initialize, call), undefined);
});

test('an initdb that fails gives its own claim back, and not the one that followed it', async (t) => {
  let meanwhile = nothing;
  const agent = await anAgent(t, {
    initdb: async () => {
      await meanwhile();
      throw new Error('no space');
    },
  });
  const { ctx, other } = agent;
  await rejects(bootstrap(ctx, job), { message: 'no space' });
  equal(await other.get(ctx.layout.initialize, call), undefined);
  equal(ctx.state.isBootstrapping, false);
  meanwhile = async () => await initialized(agent, { value: '' });
  await agent.see();
  await rejects(bootstrap(ctx, job), { message: 'no space' });
  equal((await other.get(ctx.layout.initialize, call))?.value, '');
});

test('a new cluster is claimed between its identity and its first start', async (t) => {
  const agent = await anAgent(t);
  const { ctx, done, other } = agent;
  ctx.state.isBootstrapping = true;
  await look(ctx);
  ok(await ctx.keeper.acquire(0));
  await startAsPrimary(ctx, job);
  equal((await other.get(ctx.layout.initialize, call))?.value, OUR_ID);
  deepEqual(
    done.filter((what) => what !== 'arm'),
    ['claimDataDir', 'start as primary'],
  );
});

test('a leader whose directory nobody has claimed yet claims it, once the store knows the cluster', async (t) => {
  const agent = await anAgent(t);
  const { ctx, server, done } = agent;
  server.postmaster = { kind: 'accepting', pid: 1 };
  await look(ctx);
  ok(await ctx.keeper.acquire(0));
  await madeByInitdb(agent);
  ctx.state.isBootstrapping = true;
  await initialized(agent, { value: OUR_ID });
  const duties = new Duties(ctx, new MemberKey());
  duties.due();
  await duties.idle();
  ok(done.includes('claimDataDir'));
  equal(ctx.state.isBootstrapping, false);
});

test('whoever throws away what it made does not take the next directory for one that it is making', async (t) => {
  const { ctx, done } = await anAgent(t);
  ctx.state.isBootstrapping = true;
  await act(ctx, { action: { do: 'discard-data' }, because: 'claim-lost', memory: ctx.state.memory });
  await eventually('it is thrown away', () => done.includes('removeDataDir'), {
    holds: (isSo) => isSo,
    withinMs: 1000,
  });
  equal(ctx.state.isBootstrapping, false);
});

test('a timeline that only its own primary knows of is the newest one', async (t) => {
  const { ctx, server, see } = await anAgent(t);
  server.postmaster = { kind: 'accepting', pid: 1 };
  server.status = { ...server.status, timeline: 5 };
  await look(ctx);
  await see();
  equal(ctx.state.view.newestTimeline < 5, true, 'nothing of it is published');
  equal((await observe(ctx, undefined)).cluster.newestTimeline, 5);
});
