/** The fence process with a watchdog device, for which a FIFO stands in: what is written to it, when, and how it is left. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, realpath, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { FenceClient } from '../../src/agent/fence-client.ts';
import type { WatchdogOrders, WatchdogStatus } from '../../src/agent/fence-protocol.ts';
import { findProcess, MatriarchError, pause, systemClock } from '../../src/base/index.ts';
import { aDevice } from '../support/device.ts';
import { eventually } from '../support/eventually.ts';
import { recordingLog } from '../support/recording-log.ts';
import { scratchFolder } from '../support/scratch.ts';

const MARGIN_MS = 1000;
const TIMEOUT_MS = 1000;
const SAFETY_MS = 250;

test('the device is opened when the fence is armed, fed as long as it is, and stopped with V when it is disarmed', async (t) => {
  const { client, device } = await aGuard(t);
  await patiently(async () => await client.ensure());
  deepEqual(client.watchdog, { is: 'free' });
  equal(device.openings, 0, 'nothing is guarded yet');
  await patiently(async () => await client.arm(systemClock.now() + 60_000));
  await seen(client, { is: 'held' });
  await until('it is fed', () => device.text.length >= 4);
  await patiently(async () => await client.disarm());
  await until('it is closed', () => !device.isOpen);
  match(device.text, /^1+V$/);
  await seen(client, { is: 'free' });
  await patiently(async () => await client.arm(systemClock.now() + 60_000));
  await until('it is opened again', () => device.openings === 2);
});

test('a frozen fence feeds no more, and one that is killed leaves the device without its V', async (t) => {
  const { client, device, pid } = await aGuard(t);
  await patiently(async () => await client.arm(systemClock.now() + 60_000));
  await until('it is fed', () => device.text.length >= 2);
  process.kill(pid(), 'SIGSTOP');
  await pause(50);
  const { text } = device;
  await pause(2 * TIMEOUT_MS);
  equal(device.text, text);
  equal(device.isOpen, true);
  process.kill(pid(), 'SIGKILL');
  await until('it is closed', () => !device.isOpen);
  match(device.text, /^1+$/);
});

test('no keep-alive: feeding ends in time for a reset before the lease ends, and V follows when the server is gone', async (t) => {
  const timeoutMs = 2000;
  const { client, device, dataDir } = await aGuard(t, { timeoutMs });
  const server = await aStubbornServer(t, dataDir);
  const ended = once(server, 'exit');
  const deadline = systemClock.now() + 3000;
  await patiently(async () => await client.arm(deadline));
  await ended;
  equal(server.signalCode, 'SIGKILL');
  await until('it is closed', () => !device.isOpen);
  match(device.text, /^1+V$/);
  const feedings = device.readings.filter(({ text }) => text.startsWith('1'));
  const lastMs = (feedings.at(-1)?.at ?? 0) - (deadline + MARGIN_MS - SAFETY_MS - timeoutMs);
  // On a busy machine this end of the FIFO is read late.
  ok(lastMs > -700 && lastMs < 600, `the last feeding was seen ${lastMs} ms after it had to be made`);
});

test('a device that is not there, or is an ordinary file, is told of, tried again, and used when it comes', async (t) => {
  const folder = await realpath(await scratchFolder(t));
  const { client } = await aFence(t, folder, () => orders(join(folder, 'watchdog')));
  await patiently(async () => await client.arm(systemClock.now() + 60_000));
  await seen(client, { is: 'failed', because: 'ENOENT' });
  await writeFile(join(folder, 'file'), '');
  const other = await aFence(t, await realpath(await scratchFolder(t)), () => orders(join(folder, 'file')));
  await patiently(async () => await other.client.arm(systemClock.now() + 60_000));
  await seen(other.client, { is: 'failed', because: 'not-a-device' });
  const device = await aDevice(t, folder);
  await seen(client, { is: 'held' });
  await until('it is fed', () => device.text.length > 0);
});

test('a device that fails is kept and tried again', async (t) => {
  const { client, device } = await aGuard(t);
  await patiently(async () => await client.arm(systemClock.now() + 60_000));
  await until('it is fed', () => device.text.length > 0);
  device.deafen();
  await seen(client, { is: 'failed', because: 'EPIPE' });
  device.listen();
  await seen(client, { is: 'held' });
  equal(device.openings, 1, 'it was never closed');
});

test('a change of orders takes effect at once: another device, or none', async (t) => {
  const folder = await realpath(await scratchFolder(t));
  const [one, two] = [await aDevice(t, folder), await aDevice(t, await realpath(await scratchFolder(t)))];
  let wanted: WatchdogOrders | undefined = orders(one.path);
  const { client } = await aFence(t, folder, () => wanted);
  await patiently(async () => await client.arm(systemClock.now() + 60_000));
  await until('the one is fed', () => one.text.length > 0);
  wanted = orders(two.path);
  await patiently(async () => await client.ensure());
  await until('the other is fed', () => two.text.length > 0);
  match(one.text, /^1+V$/);
  wanted = undefined;
  await patiently(async () => await client.ensure());
  await until('it is left', () => !two.isOpen);
  match(two.text, /^1+V$/);
  await seen(client, { is: 'off' });
});

test('a fence that holds a device that cannot be stopped stays and feeds it when its agent leaves', async (t) => {
  const { client, device, pid } = await aGuard(t, { isStoppable: false });
  await patiently(async () => await client.arm(systemClock.now() + 60_000));
  await until('it is fed', () => device.text.length > 0);
  await patiently(async () => await client.disarm());
  await patiently(async () => await client.leave());
  // Longer than a fence without agent and work stays.
  await pause(3500);
  ok(findProcess(pid()) !== undefined);
  const { length } = device.text;
  await until('it is fed on', () => device.text.length > length + 2);
  match(device.text, /^1+$/);
});

test('a fence without orders is as it was: no device, and it ends with its agent', async (t) => {
  const folder = await realpath(await scratchFolder(t));
  const { client, pid } = await aFence(t, folder, undefined);
  await patiently(async () => await client.arm(systemClock.now() + 60_000));
  deepEqual(client.watchdog, { is: 'off' });
  await patiently(async () => await client.disarm());
  await patiently(async () => await client.leave());
  await until('it has ended', () => findProcess(pid()) === undefined);
});

function orders(device: string, changes: Partial<WatchdogOrders> = {}): WatchdogOrders {
  return { device, timeoutMs: TIMEOUT_MS, safetyMs: SAFETY_MS, isStoppable: true, ...changes };
}

async function aGuard(t: TestContext, changes: Partial<WatchdogOrders> = {}) {
  const folder = await realpath(await scratchFolder(t));
  const device = await aDevice(t, folder);
  return { device, ...(await aFence(t, folder, () => orders(device.path, changes))) };
}

async function aFence(
  t: TestContext,
  folder: string,
  watchdog: (() => WatchdogOrders | undefined) | undefined,
) {
  const dataDir = join(folder, 'data');
  const { log, lines } = recordingLog();
  const client = new FenceClient({
    dataDir,
    socketDir: folder,
    marginMs: MARGIN_MS,
    log,
    ...(watchdog === undefined ? {} : { watchdog }),
  });
  const pid = (): number => Number(lines.find(({ event }) => event === 'fence-started')?.fields['pid']);
  t.after(() => {
    if (findProcess(pid()) !== undefined) process.kill(pid(), 'SIGKILL');
  });
  await patiently(async () => await client.ensure());
  return { client, dataDir, pid };
}

/** The fence comes to say this of its device; on a busy machine it may be late with an answer. */
async function seen(client: FenceClient, status: WatchdogStatus): Promise<void> {
  await eventually(
    JSON.stringify(status),
    async () => {
      await patiently(async () => await client.look());
      return client.watchdog;
    },
    { holds: (is) => isDeepStrictEqual(is, status), withinMs: 8000 },
  );
}

/** On a busy machine a fence may be late to come up, and with its answers; all that is asked of it may be asked again. */
async function patiently(ask: () => Promise<void>): Promise<void> {
  await eventually(
    'the fence answers',
    async () => {
      try {
        await ask();
        return undefined;
      } catch (cause) {
        ok(cause instanceof MatriarchError, String(cause));
        return cause.code;
      }
    },
    { holds: (code) => code === undefined, withinMs: 20_000 },
  );
}

async function until(what: string, holds: () => boolean): Promise<void> {
  await eventually(what, holds, { holds: (is) => is, withinMs: 8000 });
}

/** A process of the directory that hears neither SIGINT nor SIGQUIT. */
async function aStubbornServer(t: TestContext, dataDir: string): Promise<ReturnType<typeof spawn>> {
  await mkdir(dataDir);
  const program = join(dataDir, 'postgres');
  await copyFile('/bin/sleep', program);
  await chmod(program, 0o755);
  const server = spawn('/bin/sh', ['-c', `trap '' INT QUIT TERM; exec ${program} 60`], {
    cwd: dataDir,
    stdio: 'ignore',
  });
  t.after(() => server.kill('SIGKILL'));
  await once(server, 'spawn');
  return server;
}
