/** What the agent learns of a watchdog device from the kernel's files, and how its timeout is set; a folder and a script stand in. */
import { deepEqual, equal, match } from 'node:assert/strict';
import { chmod, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { WatchdogStatus } from '../../src/agent/fence-protocol.ts';
import { Watchdog } from '../../src/agent/watchdog.ts';
import type { WatchdogConfig } from '../../src/config/index.ts';
import { recordingLog } from '../support/recording-log.ts';
import { scratchFolder } from '../support/scratch.ts';

const LEASE = { ttl: 5000, keep_alive: 1000, fence_margin: 1000, loop_wait: 1000 };

test('a timeout that is too long is set to what the lease allows, once', async (t) => {
  const host = await aHost(t, { timeout: '60' });
  await host.watchdog.look();
  deepEqual(host.watchdog.orders, {
    device: host.device,
    timeoutMs: 3000,
    safetyMs: 250,
    isStoppable: true,
  });
  equal(host.watchdog.trouble, undefined);
  equal(await host.asked(), `-s 3 -O ${host.device}\n`);
  deepEqual(host.events(), ['watchdog-timeout-set', 'watchdog-found']);
  host.move(6000);
  await host.watchdog.look();
  equal(await host.asked(), `-s 3 -O ${host.device}\n`);
});

test('a shorter timeout stays as it is', async (t) => {
  const host = await aHost(t, { timeout: '2' });
  await host.watchdog.look();
  equal(host.watchdog.orders?.timeoutMs, 2000);
  equal(await host.asked(), '');
});

test('a device that somebody holds, or that cannot be stopped, is not touched', async (t) => {
  for (const files of [{ state: 'active' }, { nowayout: '1' }]) {
    const host = await aHost(t, { timeout: '60', ...files });
    await host.watchdog.look();
    equal(await host.asked(), '');
    deepEqual([host.watchdog.trouble, host.watchdog.bars], ['timeout-too-long', false]);
    // It is used all the same: by the fence's own deadline.
    deepEqual(host.watchdog.orders?.timeoutMs, undefined);
    equal(host.watchdog.orders?.isStoppable, files.nowayout !== '1');
  }
});

test('where its timeout cannot be set, a member that needs a watchdog does not lead, and others go on with a warning', async (t) => {
  for (const mode of ['automatic', 'required'] as const) {
    const host = await aHost(t, { timeout: '60' }, { mode });
    await writeFile(host.wdctl, '#!/bin/sh\necho "cannot set" >&2\nexit 1\n');
    await host.watchdog.look();
    deepEqual([host.watchdog.trouble, host.watchdog.bars], ['timeout-too-long', mode === 'required']);
    deepEqual(host.events(), ['watchdog-timeout-not-set', 'watchdog-unusable']);
  }
});

test('a program that does not come back is not waited for', async (t) => {
  const host = await aHost(t, { timeout: '60' });
  await writeFile(host.wdctl, '#!/bin/sh\nexec sleep 8\n');
  const startedAt = performance.now();
  await host.watchdog.look();
  equal(performance.now() - startedAt < 7000, true);
  equal(host.watchdog.trouble, 'timeout-too-long');
});

test('a kernel that tells nothing, and a driver that stops at each closing', async (t) => {
  const silent = await aHost(t, {});
  await silent.watchdog.look();
  equal(silent.watchdog.trouble, 'timeout-unknown');
  equal(await silent.asked(), '');
  const modest = await aHost(t, { timeout: '3', options: '0x8080' });
  await modest.watchdog.look();
  equal(modest.watchdog.trouble, 'stops-when-closed');
  equal(modest.watchdog.orders?.timeoutMs, 3000, 'a machine that hangs is covered');
  const usual = await aHost(t, { timeout: '3', options: '0x8180', nowayout: '0' });
  await usual.watchdog.look();
  equal(usual.watchdog.trouble, undefined);
});

test('numbered devices have files of their own, also by a link', async (t) => {
  const host = await aHost(t, { timeout: '60' });
  await mkdir(join(host.sysfs, 'watchdog7'));
  await writeFile(join(host.sysfs, 'watchdog7', 'timeout'), '1\n');
  const device = join(host.folder, 'watchdog7');
  await writeFile(device, '');
  await symlink(device, join(host.folder, 'mine'));
  host.watchdog.reload({ mode: 'automatic', device: join(host.folder, 'mine') });
  await host.watchdog.look();
  equal(host.watchdog.orders?.timeoutMs, 1000);
});

test('without a device: nothing is used, and a member that needs one does not lead until it is there', async (t) => {
  const host = await aHost(t, { timeout: '3' });
  await rm(host.device);
  await host.watchdog.look();
  deepEqual([host.watchdog.orders, host.watchdog.trouble, host.watchdog.bars], [undefined, 'ENOENT', false]);
  deepEqual(host.events(), ['watchdog-absent']);
  host.watchdog.reload({ mode: 'required', device: host.device });
  await host.watchdog.look();
  equal(host.watchdog.bars, true);
  match(JSON.stringify(host.lines.at(-1)), /"error".*watchdog-unusable.*ENOENT/);
  await writeFile(host.device, '');
  host.move(4000);
  await host.watchdog.look();
  equal(host.watchdog.bars, true, 'it was looked at just now');
  host.move(2000);
  await host.watchdog.look();
  equal(host.watchdog.bars, false);
});

test('a reload changes mode, device and margin; off forgets the device', async (t) => {
  const host = await aHost(t, { timeout: '60' });
  host.watchdog.reload({ mode: 'automatic', device: host.device, safety_margin: 500 });
  await host.watchdog.look();
  equal(host.watchdog.orders?.safetyMs, 500);
  host.watchdog.reload({ mode: 'off', device: host.device });
  deepEqual([host.watchdog.isWanted, host.watchdog.orders], [false, undefined]);
  await host.watchdog.look();
  equal(host.watchdog.orders, undefined);
});

test('a device that fails under a primary is told of once, and when it works again', async (t) => {
  const host = await aHost(t, { timeout: '3' });
  const said: readonly WatchdogStatus[] = [
    { is: 'held' },
    { is: 'failed', because: 'EIO' },
    { is: 'failed', because: 'EIO' },
    { is: 'held' },
  ];
  for (const status of said) host.watchdog.heard(status);
  deepEqual(
    host.lines.map(({ level, event }) => [level, event]),
    [
      ['error', 'watchdog-failing'],
      ['info', 'watchdog-no-longer-failing'],
    ],
  );
});

interface Host {
  readonly watchdog: Watchdog;
  readonly folder: string;
  readonly device: string;
  readonly sysfs: string;
  readonly wdctl: string;
  readonly lines: ReturnType<typeof recordingLog>['lines'];
  readonly events: () => readonly string[];
  readonly move: (ms: number) => void;
  /** What wdctl was called with. */
  readonly asked: () => Promise<string>;
}

/** A host with a device that has these files in sysfs. */
async function aHost(
  t: TestContext,
  files: Readonly<Record<string, string>>,
  changes: Partial<WatchdogConfig> = {},
): Promise<Host> {
  const folder = await scratchFolder(t);
  const [device, calls] = [join(folder, 'watchdog'), join(folder, 'calls')];
  const [sysfs, wdctl] = [join(folder, 'sysfs'), join(folder, 'wdctl')];
  await mkdir(join(sysfs, 'watchdog0'), { recursive: true });
  await writeFile(device, '');
  await writeFile(calls, '');
  for (const [name, value] of Object.entries(files))
    await writeFile(join(sysfs, 'watchdog0', name), `${value}\n`);
  await writeFile(wdctl, `#!/bin/sh\necho "$@" >> ${calls}\necho "$2" > ${sysfs}/watchdog0/timeout\n`);
  await chmod(wdctl, 0o755);
  const { log, lines } = recordingLog();
  let now = 0;
  const watchdog = new Watchdog({
    config: { mode: 'automatic', device, ...changes },
    lease: LEASE,
    clock: { now: () => now, wallNow: () => now },
    log,
    sysfs,
    wdctl,
  });
  return {
    watchdog,
    folder,
    device,
    sysfs,
    wdctl,
    lines,
    events: () => lines.map(({ event }) => event),
    move: (ms) => {
      now += ms;
    },
    asked: async () => await readFile(calls, 'utf8'),
  };
}
