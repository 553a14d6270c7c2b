/** A restart of PostgreSQL at a time: begun once, or dropped with a word. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { look } from '../../../src/agent/look.ts';
import { runScheduled, type ScheduledRestart } from '../../../src/agent/scheduled-restart.ts';
import { type AnAgent, anAgent, aStatus } from '../../support/an-agent.ts';

/** When the pretended server says that it was started. */
const STARTED = aStatus().postmasterStartTime;

/** Of a running primary, due `lateMs` ago. */
async function scheduled(agent: AnAgent, lateMs: number, changes: Partial<ScheduledRestart> = {}) {
  const { ctx, server } = agent;
  server.postmaster = { kind: 'accepting', pid: 1 };
  await look(ctx);
  ctx.state.scheduledRestart = {
    role: undefined,
    olderThan: undefined,
    isOnlyPending: false,
    at: ctx.clock.wallNow() - lateMs,
    json: { schedule: 'some time', postmaster_start_time: STARTED },
    startMs: undefined,
    ...changes,
  };
  runScheduled(ctx);
}

test('a restart that is due is begun once', async (t) => {
  const agent = await anAgent(t);
  const begun = (): string | undefined => {
    const { state } = agent.ctx;
    const { order } = state;
    // As the loop does when it begins it.
    state.order = undefined;
    order?.begun.resolve();
    return order?.kind;
  };
  await scheduled(agent, -1);
  equal(begun(), undefined, 'not before its time');
  await scheduled(agent, 30_000);
  equal(begun(), 'restart');
  runScheduled(agent.ctx);
  equal(begun(), undefined, 'not again');
});

test('a restart is dropped when its time is long past, or the server or its role is not what it was meant for', async (t) => {
  const agent = await anAgent(t);
  const { ctx, lines } = agent;
  await scheduled(agent, 30_001);
  await scheduled(agent, 0, {
    json: { schedule: 'some time', postmaster_start_time: '2000-01-01 00:00:00+00' },
  });
  await scheduled(agent, 0, { role: 'replica' });
  await scheduled(agent, 0, { olderThan: 150_000 });
  await scheduled(agent, 0, { isOnlyPending: true });
  equal(ctx.state.order, undefined);
  equal(ctx.state.scheduledRestart, undefined);
  deepEqual(
    lines.filter(({ event }) => event === 'scheduled-restart-dropped').map(({ fields }) => fields['because']),
    [
      'its time is long past',
      'PostgreSQL was started anew since it was asked for',
      'host role mismatch',
      'postgres version mismatch',
      'pending restart flag is not set',
    ],
  );
});
