/** A standby that asks its leader for the history of its timeline, and what becomes of the question when that leads no more. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { look } from '../../../src/agent/look.ts';
import { observe } from '../../../src/agent/observe.ts';
import { withDeadline } from '../../../src/base/index.ts';
import { anAgent, aStatus } from '../../support/an-agent.ts';

const call = { timeoutMs: 1000 };
const beta = JSON.stringify({
  conn_url: 'postgres://beta:5432/postgres',
  api_url: 'http://beta:8008/patroni',
  state: 'running',
  role: 'primary',
  timeline: 1,
});

test('an election does not wait for what a leader that has died would say', async (t) => {
  const asked: string[] = [];
  const { ctx, server, other, see } = await anAgent(t, {
    timelineHistory: async ({ host }) => {
      asked.push(host);
      return await new Promise(() => undefined);
    },
  });
  const { layout } = ctx;
  server.postmaster = { kind: 'accepting', pid: 1 };
  server.status = aStatus({ inRecovery: true, receiveLsn: 95, replayLsn: 90 });
  await look(ctx);
  await other.transact(
    {
      when: [],
      then: [
        { op: 'put', key: layout.member('beta'), value: beta },
        { op: 'put', key: layout.leader, value: 'beta' },
      ],
    },
    call,
  );
  await see();
  const observed = observe(ctx, undefined);
  await new Promise((resolve) => setImmediate(resolve));
  deepEqual(asked, ['beta']);
  ctx.state.leadership.abort();
  const { cluster } = await withDeadline(observed, 500, 'the observation');
  equal(cluster.leader?.divergence, 'unknown');
});
