/** A member's part of failsafe, over a store in memory: what it pledges, to whom, and that it keeps it. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { statusDocument } from '../../../src/agent/documents.ts';
import { answerFailsafe } from '../../../src/agent/failsafe-answer.ts';
import { look } from '../../../src/agent/look.ts';
import { observe } from '../../../src/agent/observe.ts';
import { electorsOf, PeerClient } from '../../../src/agent/peers.ts';
import { restIdentity } from '../../../src/agent/rest-client.ts';
import { parseJson } from '../../../src/base/index.ts';
import { DcsError } from '../../../src/dcs/index.ts';
import { decide } from '../../../src/ha/index.ts';
import { rest, sectionOf } from '../../support/a-rest-api.ts';
import { type AnAgent, anAgent, aStatus } from '../../support/an-agent.ts';
import { eventually } from '../../support/eventually.ts';
import { apiUrl, call, put } from '../../support/failsafe.ts';

/** A standby in a cluster that beta leads. */
async function aMember(t: TestContext): Promise<AnAgent> {
  const agent = await anAgent(t);
  const { ctx, server } = agent;
  await put(agent, ctx.layout.config, '{"failsafe_mode":true}');
  await put(agent, ctx.layout.initialize, '7');
  await put(agent, ctx.layout.failsafe, JSON.stringify({ alpha: apiUrl('alpha'), beta: apiUrl('beta') }));
  server.postmaster = { kind: 'accepting', pid: 1 };
  server.status = aStatus({ inRecovery: true });
  await agent.see();
  await look(ctx);
  return agent;
}

/** Time goes by while keep-alives are answered. */
async function pass({ move, ctx: { keeper } }: AnAgent, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 1000) {
    move(Math.min(left, 1000));
    const before = keeper.counts.alive;
    await eventually('the lease is kept alive', () => keeper.counts.alive, {
      holds: (count) => count > before,
      withinMs: 10_000,
    });
  }
}

const question = { name: 'beta', conn_url: 'postgres://beta:5432/postgres', api_url: apiUrl('beta') };
const ours = { ...question, database_system_identifier: '7' };

test('a pledge is kept for the life of a lease: no race, no promotion, and a key that was won is given back', async (t) => {
  const agent = await aMember(t);
  const { ctx } = agent;
  deepEqual(answerFailsafe(ctx, ours), { status: 200, text: 'Accepted', forMs: 5000 });
  equal(await ctx.keeper.acquire(0, ctx.state.view.entries.get(ctx.layout.failsafe)?.modRevision), false);
  equal(await agent.other.get(ctx.layout.leader, call), undefined);
  // A request of before that arrives only now.
  const { lease = '' } = ctx.keeper;
  await agent.other.transact(
    { when: [], then: [{ op: 'put', key: ctx.layout.leader, value: 'alpha', lease }] },
    call,
  );
  equal(await ctx.keeper.verify(), false);
  equal(ctx.keeper.isHolder, false);
  await agent.see();
  const decision = decide(await observe(ctx, []));
  deepEqual([decision.action.do, decision.because], ['release', 'pledged-to-leader']);
  await ctx.keeper.release();
  equal(await agent.other.get(ctx.layout.leader, call), undefined);
  await pass(agent, 4999);
  equal(await ctx.keeper.acquire(0, ctx.state.view.entries.get(ctx.layout.failsafe)?.modRevision), false);
  await pass(agent, 1);
  ok(await ctx.keeper.acquire(0, ctx.state.view.entries.get(ctx.layout.failsafe)?.modRevision));
});

const silent = async (): Promise<never> =>
  await Promise.reject(new DcsError('unknown', 'timeout', 'no answer'));

test('a member says that it is held back: while a pledge binds, and while it may have forgotten one', async (t) => {
  const agent = await aMember(t);
  const { ctx } = agent;
  const said = (): unknown => statusDocument(ctx)['matriarch'];
  deepEqual(said(), { is_held_back: true }, 'it has just begun');
  await pass(agent, 5000);
  deepEqual(said(), {});
  equal(answerFailsafe(ctx, ours).status, 200);
  await pass(agent, 4999);
  deepEqual(said(), { is_held_back: true });
  await pass(agent, 1);
  deepEqual(said(), {});
});

test('a member that leads, or whose race has no end yet, refuses', async (t) => {
  const agent = await aMember(t);
  const { ctx, server } = agent;
  const refusal = (): string => answerFailsafe(ctx, ours).text;
  const revision = ctx.state.view.entries.get(ctx.layout.failsafe)?.modRevision;
  const { transact, get } = ctx.dcs;
  Object.assign(ctx.dcs, { transact: silent, get: silent });
  const race = ctx.keeper.acquire(0, revision);
  equal(refusal(), 'Racing for the leader key');
  equal(await race, false);
  equal(refusal(), 'Racing for the leader key', 'it may still be won');
  await pass(agent, 5000);
  equal(refusal(), 'Accepted', 'what is won later than that is given back');
  Object.assign(ctx.dcs, { transact, get });
  await pass(agent, 5000);
  ok(await ctx.keeper.acquire(0, revision));
  equal(refusal(), 'Holding the leader key');
  await ctx.keeper.release();
  server.status = aStatus();
  await look(ctx);
  equal(refusal(), 'Running as a leader');
});

test('a leader of another cluster gets no pledge, and one to it binds nothing here', async (t) => {
  const { ctx, move } = await aMember(t);
  equal(answerFailsafe(ctx, { ...ours, database_system_identifier: '8' }).status, 500);
  equal(answerFailsafe(ctx, question).status, 200, 'Patroni’s: it is the listed one');
  equal(answerFailsafe(ctx, { ...question, api_url: apiUrl('zeta') }).status, 500);
  equal(answerFailsafe(ctx, { api_url: 'x' }).status, 400);
  move(10);
  ok((await observe(ctx, undefined)).failsafe.boundForMs > 0);
  ctx.state.pledged = { to: 'beta', systemId: '8', until: ctx.clock.now() + 5000 };
  equal((await observe(ctx, undefined)).failsafe.boundForMs, 0);
});

test('a race by a list that has changed since is void', async (t) => {
  const agent = await aMember(t);
  const { ctx } = agent;
  const revision = ctx.state.view.entries.get(ctx.layout.failsafe)?.modRevision ?? 0;
  equal(await ctx.keeper.acquire(0, 0), false, 'it seemed absent');
  await put(agent, ctx.layout.failsafe, JSON.stringify({ beta: apiUrl('beta') }));
  equal(await ctx.keeper.acquire(0, revision), false, 'it listed us');
  equal(await agent.other.get(ctx.layout.leader, call), undefined);
});

test('members are found in an election although their keys have ended', () => {
  const list = new Map([
    ['alpha', apiUrl('alpha')],
    ['beta', apiUrl('beta')],
    ['gamma', ''],
  ]);
  deepEqual(electorsOf({ view: { members: new Map() }, failsafe: list }, 'alpha'), [
    { name: 'beta', apiUrl: apiUrl('beta'), tags: {} },
  ]);
});

test('POST /failsafe needs what every change needs, and agents send it; GET shows the list', async (t) => {
  const settings = { authentication: { username: 'operator', password: 'secret: word' } };
  const { url, agent } = await rest(t, settings);
  const { ctx, server } = agent;
  equal((await fetch(new URL('/failsafe', url))).status, 502);
  await put(agent, ctx.layout.config, '{"failsafe_mode":true}');
  await put(agent, ctx.layout.failsafe, JSON.stringify({ beta: apiUrl('beta') }));
  server.postmaster = { kind: 'accepting', pid: 1 };
  server.status = aStatus({ inRecovery: true });
  await agent.see();
  await look(ctx);
  deepEqual(await (await fetch(new URL('/failsafe', url))).json(), { beta: apiUrl('beta') });
  const body = JSON.stringify(ours);
  equal((await fetch(new URL('/failsafe', url), { method: 'POST', body })).status, 401);
  const client = new PeerClient(await restIdentity({ ctl: undefined, restapi: sectionOf(settings) }));
  t.after(async () => await client.close());
  deepEqual(await client.pledge({ name: 'alpha', apiUrl: url }, ours, 1000), {
    isPledged: true,
    forMs: 5000,
  });
  const document = parseJson(await (await fetch(url)).text());
  equal(JSON.stringify(document).includes('"failsafe_mode_is_active":true'), true);
  const stranger = new PeerClient({ tls: { rejectUnauthorized: true }, authorization: undefined });
  t.after(async () => await stranger.close());
  equal((await stranger.pledge({ name: 'alpha', apiUrl: url }, ours, 1000))?.isPledged, false);
  equal(await stranger.pledge({ name: 'alpha', apiUrl: 'no address' }, ours, 1000), undefined);
});
