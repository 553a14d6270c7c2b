/** A restart that was asked for: what is started again is what the directory is, once it is stopped. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { restart } from '../../../src/agent/restart.ts';
import { anAgent, aStatus } from '../../support/an-agent.ts';

const job = { signal: new AbortController().signal, isCurrent: () => true };
const asPrimary = { as: 'primary', upstream: undefined, startMs: undefined } as const;

test('a leader whose promotion nobody has seen is started again as the standby that it may still be', async (t) => {
  for (const isStandby of [true, false]) {
    const started: string[] = [];
    const { ctx, server } = await anAgent(t, {
      hasStandbySignal: async () => await Promise.resolve(isStandby),
      start: async ({ as }) => {
        started.push(as);
        return await Promise.resolve({ outcome: 'accepting', pid: 2 });
      },
    });
    server.status = aStatus({ inRecovery: isStandby });
    server.postmaster = { kind: 'accepting', pid: 1 };
    ok(await ctx.keeper.acquire(0));
    equal(await restart(ctx, job, asPrimary), 'done');
    deepEqual(started, [isStandby ? 'standby' : 'primary']);
  }
});
