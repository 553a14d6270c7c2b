/** A whole agent with a watchdog device, for which a FIFO stands in: held while PostgreSQL is a primary, and needed where that is said. */
import { equal, match } from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { sharedLogs, someHosts } from '../support/agents.ts';
import { fieldOf, is, named, statusOf } from '../support/asking-agents.ts';
import { aDevice } from '../support/device.ts';
import { startEtcd } from '../support/etcd.ts';
import { eventually } from '../support/eventually.ts';
import { scratchFolder } from '../support/scratch.ts';

test('a member that needs a watchdog makes no cluster without; one that may use it holds it as long as it is a primary', async (t) => {
  const { urls: etcd } = await startEtcd(t);
  const device = await aDevice(t, await scratchFolder(t));
  await chmod(device.path, 0o666);
  const hosts = await someHosts(t, { names: ['alpha'], etcd, ttl: '30s' });
  const alpha = named(hosts, 'alpha');
  const { watched, showLogs } = sharedLogs(() => hosts);
  t.after(showLogs);
  await watched(async () => {
    const text = await readFile(alpha.configFile, 'utf8');
    const asked = (mode: string): string =>
      text.replace('mode: off', `mode: ${mode}\n  device: ${device.path}`);
    // Of a FIFO the kernel tells no timeout, so it is none that can be relied upon.
    await writeFile(alpha.configFile, asked('required'));
    alpha.start();
    await eventually('it stands back', () => alpha.log(), {
      holds: (log) => /"because":"watchdog-unusable"/.test(log),
      withinMs: 60_000,
    });
    equal(await fieldOf(alpha, 'watchdog_failed'), true);
    equal(device.openings, 0);
    await writeFile(alpha.configFile, asked('automatic'));
    alpha.signal('SIGHUP');
    await eventually('alpha leads', () => statusOf(alpha, '/primary'), { holds: is(200), withinMs: 150_000 });
    await eventually('the device is fed', () => device.text, {
      holds: (fed) => fed.length > 3,
      withinMs: 20_000,
    });
    match(device.text, /^1+$/);
    alpha.signal('SIGTERM');
    await eventually('it is stopped', () => device.isOpen, { holds: (isOpen) => !isOpen, withinMs: 60_000 });
    match(device.text, /^1+V$/);
  })();
});
