/** A standby that does not get on: what is tried, in which order, and what becomes of its data. */
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { look } from '../../../src/agent/look.ts';
import { reinit } from '../../../src/agent/restart.ts';
import { rejoin } from '../../../src/agent/server-work.ts';
import type { CloneOptions } from '../../../src/postgres/index.ts';
import { anAgent, aStatus } from '../../support/an-agent.ts';

const job = { signal: new AbortController().signal, isCurrent: () => true };
const slow = { from: 'beta', isDiverged: false };

async function aStandby(t: TestContext, isWalKept: boolean) {
  const copies: CloneOptions[] = [];
  const agent = await anAgent(t, {
    keepsWal: async (_, { slot, lsn }) => await Promise.resolve(isWalKept && slot === 'alpha' && lsn === 90),
    rewind: async () => {
      agent.done.push('rewind');
      return await Promise.resolve({ outcome: 'not-needed' });
    },
    timelineHistory: async () =>
      await Promise.resolve({ systemId: '7', timeline: 1, lsn: 100, inRecovery: false, history: [] }),
    basebackup: async (_, options = {}) => {
      agent.done.push('basebackup');
      copies.push(options);
      await Promise.resolve();
    },
  });
  const { ctx, server, other, done, see } = agent;
  const value = '{"conn_url":"postgres://beta:5432/postgres"}';
  const put = { op: 'put', key: ctx.layout.member('beta'), value } as const;
  await other.transact({ when: [], then: [put] }, { timeoutMs: 1000 });
  await see();
  const tried = async (how: Parameters<typeof rejoin>[2]): Promise<string> => {
    server.postmaster = { kind: 'accepting', pid: 1 };
    server.status = aStatus({ inRecovery: true, receiveLsn: 95, replayLsn: 90 });
    await look(ctx);
    done.length = 0;
    await rejoin(ctx, job, how);
    return done.filter((step) => step === 'rewind' || step === 'basebackup').join();
  };
  return { ...agent, tried, copies };
}

test('a standby whose slot keeps its WAL is started again for a while before it is cloned anew', async (t) => {
  const { tried, copies } = await aStandby(t, true);
  deepEqual(
    [await tried(slow), await tried(slow), await tried(slow), await tried(slow), await tried(slow)],
    ['rewind', '', '', '', 'basebackup'],
  );
  equal(copies[0]?.replaces, true);
});

test('one whose WAL is gone, or that diverged, is not started in vain', async (t) => {
  const gone = await aStandby(t, false);
  deepEqual([await gone.tried(slow), await gone.tried(slow)], ['rewind', 'basebackup']);
  const diverged = await aStandby(t, true);
  const how = { from: 'beta', isDiverged: true };
  deepEqual([await diverged.tried(how), await diverged.tried(how)], ['rewind', 'basebackup']);
});

test('no data is removed before a copy, whoever asks for it', async (t) => {
  const { ctx, done, copies } = await aStandby(t, false);
  await reinit(ctx, job, 'beta');
  deepEqual(done.includes('removeDataDir'), false);
  equal(copies[0]?.replaces, true);
  const failing = await anAgent(t);
  await rejects(reinit(failing.ctx, job, 'beta'));
  deepEqual(failing.done, []);
});
