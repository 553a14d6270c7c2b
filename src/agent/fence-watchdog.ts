/**
 * The fence's hand on the watchdog device: opens, feeds and releases it as ha/watchdog.ts plans. A driver may take its time
 * (one that asks a management controller, say), and a fence must never wait: each operation runs beside, one at a time, and
 * the plan is made anew when it has ended. Any byte feeds but 'V', which lets the device be stopped by closing it.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type FenceState, idleFence, noHold, planWatchdog, type WatchdogHold } from '../ha/index.ts';
import type { WatchdogOrders, WatchdogStatus } from './fence-protocol.ts';

const RETRY_MS = 1000;
/** The device is no more. */
const GONE = ['ENODEV', 'ENXIO', 'EBADF'];

export interface FenceWatchdogOptions {
  readonly marginMs: number;
  /** Monotonic, the fence's clock. */
  readonly now: () => number;
  readonly say: (event: string, fields: object) => void;
}

export class FenceWatchdog {
  readonly #options: FenceWatchdogOptions;
  #orders: WatchdogOrders | undefined;
  #fence: FenceState = idleFence;
  #hold: WatchdogHold = noHold;
  #held: { readonly file: FileHandle; readonly orders: WatchdogOrders } | undefined;
  #isBusy = false;
  #because: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FenceWatchdogOptions) {
    this.#options = options;
  }

  get status(): WatchdogStatus {
    if (this.#because !== undefined) return { is: 'failed', because: this.#because };
    if (this.#held !== undefined) return { is: 'held' };
    return { is: this.#orders === undefined ? 'off' : 'free' };
  }

  /** It is held and cannot be stopped: whoever ends now has the machine reset. */
  get mustStay(): boolean {
    return this.#held?.orders.isStoppable === false;
  }

  /** What the agent wants from now on; undefined: no device. */
  obey(orders: WatchdogOrders | undefined): void {
    if (JSON.stringify(orders) === JSON.stringify(this.#orders)) return;
    this.#orders = orders;
    this.#because = undefined;
    this.#hold = { ...this.#hold, retryAt: noHold.retryAt };
    // The same device goes on by the new numbers; that it cannot be stopped does not change while it is open.
    const { file, orders: held } = this.#held ?? {};
    if (file !== undefined && held !== undefined && orders?.device === held.device)
      this.#held = { file, orders: { ...orders, isStoppable: held.isStoppable && orders.isStoppable } };
    this.#turn();
  }

  /** The fence is in this state now. */
  see(fence: FenceState): void {
    this.#fence = fence;
    if (fence.is === 'idle' && this.#held === undefined && !this.#isBusy) this.#forget();
    this.#turn();
  }

  /** What failed the last time need not the next time. */
  #forget(): void {
    this.#hold = noHold;
    this.#because = undefined;
  }

  #turn(): void {
    if (this.#isBusy) return;
    clearTimeout(this.#timer);
    const orders = this.#held?.orders ?? this.#orders;
    if (orders === undefined) return;
    // A device that is not wanted any more is as one that has nothing to guard.
    const fence = orders.device === this.#orders?.device ? this.#fence : idleFence;
    const { now, marginMs } = this.#options;
    const step = planWatchdog(fence, this.#hold, { now: now(), marginMs, timing: orders });
    if (step.do !== 'rest') void this.#run(step.do, orders);
    else if (step.wakeAt !== undefined)
      this.#timer = setTimeout(() => this.#turn(), Math.max(0, Math.ceil(step.wakeAt - now())));
  }

  /** Never rejects; the next turn follows. */
  async #run(what: 'open' | 'feed' | 'release', orders: WatchdogOrders): Promise<void> {
    const { now, say } = this.#options;
    this.#isBusy = true;
    const startedAt = now();
    try {
      if (what === 'open') await this.#open(orders);
      if (what === 'feed') await this.#held?.file.write('1');
      if (what === 'release') await this.#release();
      if (what !== 'release') this.#hold = { isHeld: true, fedAt: startedAt, retryAt: noHold.retryAt };
      if (this.#because !== undefined) say('watchdog-works-again', {});
      this.#because = undefined;
    } catch (cause) {
      await this.#failed(what, codeOf(cause), orders);
    }
    this.#isBusy = false;
    this.#turn();
  }

  async #open(orders: WatchdogOrders): Promise<void> {
    // No O_CREAT: where there is no device, an ordinary file in its place would look like one.
    const file = await open(orders.device, constants.O_WRONLY | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (!stat.isCharacterDevice() && !stat.isFIFO()) {
      await file.close();
      throw Object.assign(new Error('it is no device'), { code: 'not-a-device' });
    }
    this.#held = { file, orders };
    this.#options.say('watchdog-opened', { ...orders });
  }

  async #release(): Promise<void> {
    const { file, orders } = this.#held ?? {};
    await file?.write('V');
    await this.#close();
    this.#options.say('watchdog-released', { device: orders?.device });
  }

  async #close(): Promise<void> {
    const file = this.#held?.file;
    this.#held = undefined;
    this.#hold = noHold;
    await file?.close();
  }

  /** A device that fails and is still there is tried on: given up without its 'V', it would reset the machine. */
  async #failed(what: string, code: string, orders: WatchdogOrders): Promise<void> {
    const { now, say } = this.#options;
    if (this.#because !== code) say('watchdog-failed', { what, code, device: orders.device });
    this.#because = code;
    if (GONE.includes(code)) {
      try {
        await this.#close();
      } catch (cause) {
        say('watchdog-not-closed', { code: codeOf(cause) });
      }
    }
    this.#hold = { ...this.#hold, retryAt: now() + Math.min(RETRY_MS, (orders.timeoutMs ?? RETRY_MS) / 4) };
  }
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
}
