/** A store that has lost the cluster: who writes its identity again, who does not, and who makes no other one meanwhile. */
import { equal, ok } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Duties } from '../../../src/agent/duties.ts';
import { look } from '../../../src/agent/look.ts';
import { MemberKey } from '../../../src/agent/member-key.ts';
import { observe } from '../../../src/agent/observe.ts';
import { anAgent, aStatus } from '../../support/an-agent.ts';

const call = { timeoutMs: 1000 };
/** What pretended servers have in pg_control. */
const OUR_ID = '7';

async function aMember(t: TestContext, process: 'running' | 'stopped') {
  const agent = await anAgent(t);
  const { ctx, server, other, see } = agent;
  server.status = aStatus({ inRecovery: true, receiveLsn: 90, replayLsn: 90 });
  if (process === 'running') server.postmaster = { kind: 'accepting', pid: 1 };
  await look(ctx);
  await see();
  const duties = new Duties(ctx, new MemberKey());
  const identity = async (): Promise<string | undefined> => {
    duties.due();
    await duties.idle();
    return (await other.get(ctx.layout.initialize, call))?.value;
  };
  const put = async (key: string, value: string): Promise<void> => {
    await other.transact({ when: [], then: [{ op: 'put', key, value }] }, call);
    await see();
  };
  return { ...agent, identity, put };
}

test('a standby that runs writes the identity of its cluster into a store that has lost it', async (t) => {
  const { identity } = await aMember(t, 'running');
  equal(await identity(), OUR_ID);
});

test('a member that has seen the cluster in this life writes it again, whatever it has itself', async (t) => {
  const { ctx, identity } = await aMember(t, 'stopped');
  equal(await identity(), undefined, 'a directory that merely lies there says nothing');
  ctx.state.knownSystemId = '8';
  equal(await identity(), '8');
});

test('nothing is written over a claim, over another identity, or beside a leader', async (t) => {
  const { ctx, identity, put } = await aMember(t, 'running');
  await put(ctx.layout.leader, 'beta');
  equal(await identity(), undefined);
  await ctx.dcs.transact({ when: [], then: [{ op: 'delete', key: ctx.layout.leader }] }, call);
  await put(ctx.layout.initialize, '');
  equal(await identity(), '');
  await put(ctx.layout.initialize, '9');
  equal(await identity(), '9');
});

test('while the store has not been heard of lately nothing is written', async (t) => {
  const { ctx, identity, move } = await aMember(t, 'running');
  ctx.state.contactAt = Number.NEGATIVE_INFINITY;
  move(1);
  equal(await identity(), undefined);
});

const says = (role: string): string => JSON.stringify({ conn_url: 'postgres://b/postgres', role });

test('a cluster is there as long as it was seen, or another member has its data', async (t) => {
  const { ctx, put } = await aMember(t, 'stopped');
  const hasTraces = async (): Promise<boolean> => (await observe(ctx, undefined)).cluster.hasTraces;
  equal(await hasTraces(), false);
  await put(ctx.layout.member('alpha'), says('replica'));
  await put(ctx.layout.member('beta'), says('uninitialized'));
  equal(await hasTraces(), false, 'nobody else has any data');
  await put(ctx.layout.member('beta'), says('demoted'));
  equal(await hasTraces(), true);
  await put(ctx.layout.member('beta'), says('uninitialized'));
  ctx.state.knownSystemId = OUR_ID;
  ok(await hasTraces());
});
