/** Who may not run under its name: somebody else who answers has it, or has its replication slot. */
import { equal, rejects } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { AgentContext } from '../../../src/agent/context.ts';
import { refuseTakenName } from '../../../src/agent/names.ts';
import { slotNameOf } from '../../../src/topology/index.ts';
import { anAgent } from '../../support/an-agent.ts';
import { aPeer } from '../../support/observations.ts';

async function beside(t: TestContext, name: string, isAnswering: boolean): Promise<AgentContext> {
  const { ctx, other } = await anAgent(t);
  const value = JSON.stringify({ conn_url: 'postgres://b/postgres', api_url: 'http://b:8008/patroni' });
  const put = { op: 'put', key: ctx.layout.member(name), value } as const;
  await other.transact({ when: [], then: [put] }, { timeoutMs: 1000 });
  const askOne = async () => await Promise.resolve(isAnswering ? aPeer({ name }) : undefined);
  return { ...ctx, peers: { ...ctx.peers, askOne } };
}

test('a name that differs in case alone, or makes the same replication slot, is taken', async (t) => {
  for (const name of ['alpha', 'ALPHA', 'Alpha'])
    await rejects(refuseTakenName(await beside(t, name, true)), { code: 'name-taken' });
  await refuseTakenName(await beside(t, 'alpha', false));
  await refuseTakenName(await beside(t, 'Alpha', false));
  await refuseTakenName(await beside(t, 'alpha2', true));
  equal(slotNameOf('db-1'), slotNameOf('DB_1'));
});
