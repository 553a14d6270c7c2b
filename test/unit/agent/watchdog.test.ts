/** A member that leads only with a watchdog: it becomes a primary when its fence holds the device, and not before. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { statusDocument } from '../../../src/agent/documents.ts';
import type { WatchdogStatus } from '../../../src/agent/fence-protocol.ts';
import { observe } from '../../../src/agent/observe.ts';
import { readAnswer } from '../../../src/agent/peers.ts';
import { startAsPrimary } from '../../../src/agent/server-work.ts';
import { Watchdog } from '../../../src/agent/watchdog.ts';
import type { WatchdogConfig } from '../../../src/config/index.ts';
import { anAgent } from '../../support/an-agent.ts';
import { scratchFolder } from '../../support/scratch.ts';

const wanted = { signal: new AbortController().signal, isCurrent: () => true };
/** It can be written to. */
const DEVICE = '/dev/null';

test('PostgreSQL becomes a primary when the fence holds the device, which may take it a while', async (t) => {
  for (const mode of ['required', 'automatic'] as const) {
    const { agent, ctx } = await aMember(t, mode, [{ is: 'free' }, { is: 'free' }, { is: 'held' }]);
    await startAsPrimary(ctx, wanted);
    deepEqual(agent.done, ['arm', 'look', 'look', 'look', 'start as primary']);
  }
  const off = await aMember(t, 'off', [{ is: 'off' }]);
  await startAsPrimary(off.ctx, wanted);
  deepEqual(off.agent.done, ['arm', 'start as primary']);
});

test('it does not where the device is needed and fails, is not held in time, or does not do', async (t) => {
  const cases: readonly (readonly WatchdogStatus[])[] = [
    [{ is: 'failed', because: 'EBUSY' }],
    [{ is: 'free' }],
    [{ is: 'off' }],
  ];
  for (const statuses of cases) {
    const { agent, ctx } = await aMember(t, 'required', statuses);
    await rejects(startAsPrimary(ctx, wanted), { code: 'watchdog-unusable' });
    ok(!agent.done.includes('start as primary'), agent.done.join());
    equal(ctx.watchdog.bars, true, 'others go first');
  }
  const unknown = await aMember(t, 'required', [{ is: 'held' }], '60');
  await rejects(startAsPrimary(unknown.ctx, wanted), { code: 'watchdog-unusable' });
  deepEqual(unknown.agent.done, [], 'the fence is not even armed');
});

test('where it is not needed, a device that fails changes nothing but the log', async (t) => {
  const { agent, ctx } = await aMember(t, 'automatic', [{ is: 'failed', because: 'EBUSY' }]);
  await startAsPrimary(ctx, wanted);
  ok(agent.done.includes('start as primary'));
  equal(agent.lines.filter(({ event }) => event === 'watchdog-not-held').length, 1);
});

test('a member that lacks its watchdog stands back, and says so in Patroni’s word, which is heard', async (t) => {
  const { ctx } = await aMember(t, 'required', []);
  equal((await observe(ctx, undefined)).self.lacksWatchdog, false);
  equal('watchdog_failed' in statusDocument(ctx), false);
  ctx.watchdog.refuse('EBUSY');
  equal((await observe(ctx, undefined)).self.lacksWatchdog, true);
  const document = statusDocument(ctx);
  equal(document['watchdog_failed'], true);
  const peer = { name: 'beta', apiUrl: 'http://127.0.0.1:8008/patroni', tags: {} };
  equal(readAnswer(peer, document, undefined)?.lacksWatchdog, true);
  equal(readAnswer(peer, { state: 'running' }, undefined)?.lacksWatchdog, undefined);
});

/** An agent that holds the key, whose fence says this of the device, one answer after the other, the last one again and again. */
async function aMember(
  t: TestContext,
  mode: WatchdogConfig['mode'],
  statuses: readonly WatchdogStatus[],
  timeout = '3',
) {
  const agent = await anAgent(t);
  ok(await agent.ctx.keeper.acquire(0));
  const sysfs = await scratchFolder(t);
  await mkdir(join(sysfs, 'null'));
  await writeFile(join(sysfs, 'null', 'timeout'), `${timeout}\n`);
  // Its timeout stays as it is.
  await writeFile(join(sysfs, 'null', 'state'), 'active\n');
  const { clock, log, config, fence } = agent.ctx;
  const watchdog = new Watchdog({ config: { mode, device: DEVICE }, lease: config.lease, clock, log, sysfs });
  equal(watchdog.bars, mode === 'required', 'not before it has looked');
  await watchdog.look();
  const left = [...statuses];
  let status: WatchdogStatus | undefined;
  const ctx = {
    ...agent.ctx,
    watchdog,
    fence: {
      ...fence,
      get watchdog() {
        return status;
      },
      look: async () => {
        status = left.length > 1 ? left.shift() : left[0];
        agent.done.push('look');
        // Time passes while the fence is asked.
        agent.move(100);
        await Promise.resolve();
      },
    },
  };
  return { agent, ctx };
}
