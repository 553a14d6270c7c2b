/**
 * The agent's part in the watchdog: what the kernel tells of the device (/sys/class/watchdog), a timeout that fits the lease,
 * and whether this member may lead without. The device itself is the fence's (fence-watchdog.ts); arithmetic: ha/watchdog.ts.
 *
 * Node.js has no ioctl, so the timeout is set by util-linux's wdctl, which opens the device, sets it and stops it again: only
 * while nobody holds the device, and never with one that cannot be stopped. It is waited for briefly and never killed, for a
 * device that is left open without its 'V' resets the machine.
 */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readFile, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Clock, type Log, MatriarchError, pause, rethrowBug } from '../base/index.ts';
import { type LeaseConfig, safetyMarginMs, type WatchdogConfig } from '../config/index.ts';
import { longestTimeoutMs, type WatchdogFacts, watchdogFlaw } from '../ha/index.ts';
import type { AgentContext } from './context.ts';
import type { WatchdogOrders, WatchdogStatus } from './fence-protocol.ts';

/** The device may come, go and be opened to us while the agent runs. */
const LOOK_MS = 5000;
const WDCTL_MS = 2000;
/** Beside the period of the keep-alive, after which a device that could not be opened in time can be. */
const OPEN_MS = 500;
const ASK_MS = 20;
/** Of linux/watchdog.h: the driver takes 'V'. */
const MAGIC_CLOSE = 0x100;

export interface WatchdogOptions {
  readonly config: WatchdogConfig;
  readonly lease: LeaseConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly sysfs?: string;
  readonly wdctl?: string;
}

interface Found extends WatchdogFacts {
  /** Somebody has it open, or has left it running. */
  readonly isActive: boolean;
}

export class Watchdog {
  readonly #options: WatchdogOptions;
  #config: WatchdogConfig;
  #orders: WatchdogOrders | undefined;
  #trouble: string | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #said: string | undefined;
  #failing: string | undefined;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#config = options.config;
  }

  get isWanted(): boolean {
    return this.#config.mode !== 'off';
  }

  get isRequired(): boolean {
    return this.#config.mode === 'required';
  }

  /** What the fence is to be told; undefined where no device can be used. */
  get orders(): WatchdogOrders | undefined {
    return this.#orders;
  }

  /** An errno of opening the device for writing, or a `WatchdogFlaw`; undefined when it would reset this machine before the lease ends. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** This member must not become the leader. */
  get bars(): boolean {
    return this.isRequired && (this.#orders === undefined || this.#trouble !== undefined);
  }

  /** What the fence says of the device that it holds, or cannot hold: a failure is told when it begins and when it is over. */
  heard(status: WatchdogStatus | undefined): void {
    const failing = status?.is === 'failed' ? status.because : undefined;
    if (failing === this.#failing) return;
    this.#failing = failing;
    const { log } = this.#options;
    if (failing === undefined) log.info('watchdog-no-longer-failing', {});
    else log.error('watchdog-failing', { device: this.#config.device, because: failing });
  }

  /** The fence could not hold the device although it is required: others go first, until the next look. */
  refuse(because: string): void {
    this.#lookedAt = this.#options.clock.now();
    this.#become(this.#orders, because);
  }

  /** Takes over what a reload has changed; looked at soon. */
  reload(config: WatchdogConfig): void {
    this.#config = config;
    this.#lookedAt = Number.NEGATIVE_INFINITY;
    if (this.isWanted) return;
    this.#orders = undefined;
    this.#trouble = undefined;
  }

  /** Looks at the device, if it has not just been done, and sets a timeout that is too long. Never rejects. */
  async look(): Promise<void> {
    const { clock } = this.#options;
    if (!this.isWanted || clock.now() - this.#lookedAt < LOOK_MS) return;
    this.#lookedAt = clock.now();
    const { device } = this.#config;
    const barred = await whyNotWritable(device);
    const found = barred === undefined ? await this.#fitted(device) : undefined;
    // A reload came in between; its look follows.
    if (device !== this.#config.device || !this.isWanted) return;
    if (found === undefined) this.#become(undefined, barred);
    else {
      const flaw = watchdogFlaw(found, this.#longestMs);
      const timeoutMs = flaw?.startsWith('timeout') === true ? undefined : found.timeoutMs;
      const { isStoppable } = found;
      this.#become({ device, timeoutMs, safetyMs: this.#safetyMs, isStoppable }, flaw);
    }
  }

  get #safetyMs(): number {
    return safetyMarginMs(this.#config, this.#options.lease.fence_margin);
  }

  get #longestMs(): number {
    const { ttl, keep_alive } = this.#options.lease;
    return longestTimeoutMs({ ttlMs: ttl, keepAliveMs: keep_alive, safetyMs: this.#safetyMs });
  }

  /** What is known of the device, after its timeout has been set if that was too long. A shorter one stays. */
  async #fitted(device: string): Promise<Found> {
    const sysfs = this.#options.sysfs ?? '/sys/class/watchdog';
    const found = await readFacts(sysfs, device);
    const longestMs = this.#longestMs;
    const isLong = found.timeoutMs !== undefined && found.timeoutMs > longestMs;
    if (!isLong || longestMs === 0 || found.isActive || !found.isStoppable) return found;
    await this.#setTimeout(device, longestMs);
    return await readFacts(sysfs, device);
  }

  async #setTimeout(device: string, timeoutMs: number): Promise<void> {
    const { log, wdctl } = this.#options;
    const set = new Promise<void>((resolve) => {
      execFile(wdctl ?? 'wdctl', ['-s', String(timeoutMs / 1000), '-O', device], (cause, _, stderr) => {
        if (cause === null) log.info('watchdog-timeout-set', { device, timeoutMs });
        else log.warn('watchdog-timeout-not-set', { device, code: cause.code, stderr: stderr.slice(0, 200) });
        resolve();
      });
    });
    const waited = new AbortController();
    await Promise.race([set, pause(WDCTL_MS, waited.signal)]);
    waited.abort();
  }

  #become(orders: WatchdogOrders | undefined, trouble: string | undefined): void {
    this.#orders = orders;
    this.#trouble = trouble;
    const { device, mode } = this.#config;
    const said = JSON.stringify([orders, trouble, mode]);
    if (said === this.#said) return;
    this.#said = said;
    const { log } = this.#options;
    if (trouble === undefined) log.info('watchdog-found', { ...orders });
    else if (mode === 'required') log.error('watchdog-unusable', { device, because: trouble });
    else if (trouble === 'ENOENT') log.info('watchdog-absent', { device });
    else log.warn('watchdog-unusable', { device, because: trouble });
  }
}

/** Throws `watchdog-unusable` where this member must not become the leader for want of one. */
export function mayLead({ watchdog }: Pick<AgentContext, 'watchdog'>): void {
  if (watchdog.bars) throw unusable(watchdog.trouble);
}

/**
 * Resolves when the fence, which is armed, holds the device. Where that does not come about: rejects with `watchdog-unusable` if it
 * is required, else goes on without.
 */
export async function watchdogHeld(ctx: AgentContext): Promise<void> {
  const { watchdog, fence, clock, timers, config, log } = ctx;
  if (!watchdog.isWanted || (watchdog.trouble !== undefined && !watchdog.isRequired)) return;
  const until = clock.now() + config.lease.keep_alive + OPEN_MS;
  for (;;) {
    await fence.look();
    const status = fence.watchdog;
    if (status?.is === 'held') return;
    if (status?.is !== 'free' || clock.now() >= until) {
      const because = status?.is === 'failed' ? status.because : (status?.is ?? 'unknown to the fence');
      if (!watchdog.isRequired) {
        log.warn('watchdog-not-held', { because });
        return;
      }
      watchdog.refuse(because);
      throw unusable(because);
    }
    await pause(ASK_MS, undefined, timers);
  }
}

function unusable(because: string | undefined): MatriarchError {
  return new MatriarchError('watchdog-unusable', `the watchdog device: ${because ?? 'not looked at yet'}`);
}

async function whyNotWritable(device: string): Promise<string | undefined> {
  try {
    await access(device, constants.W_OK);
    return undefined;
  } catch (cause) {
    rethrowBug(cause);
    return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  }
}

/** `/dev/watchdog` is the first of the devices; the others have their number. */
async function readFacts(sysfs: string, device: string): Promise<Found> {
  const read = async (attribute: string): Promise<string | undefined> => {
    try {
      const name = basename(await realpath(device));
      return (
        await readFile(join(sysfs, name === 'watchdog' ? 'watchdog0' : name, attribute), 'utf8')
      ).trim();
    } catch (cause) {
      rethrowBug(cause);
      // A kernel without these files, or an older one that lacks some.
      return undefined;
    }
  };
  const [timeout, nowayout, options, state] = await Promise.all(
    ['timeout', 'nowayout', 'options', 'state'].map(read),
  );
  const seconds = Number(timeout ?? 0);
  return {
    // 0: the driver does not know it itself.
    timeoutMs: seconds > 0 ? seconds * 1000 : undefined,
    isStoppable: nowayout !== '1',
    stopsWhenClosed: options !== undefined && (Number(options) & MAGIC_CLOSE) === 0,
    isActive: state === 'active',
  };
}
