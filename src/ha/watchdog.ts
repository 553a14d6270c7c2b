/**
 * The kernel's watchdog behind the fence: arithmetic, and the plan of who opens, feeds and releases the device when. A device
 * that is open and not fed for its timeout resets the machine. The fence process holds it exactly while it is armed, so that
 * what the fence cannot do (it is dead, starved, or nothing runs on this machine any more) the machine does to itself.
 *
 *     not held --fence armed, in time--> held --fence idle--> not held ('V', which stops the device, then closed)
 *                                        |  ^ fed, as long as it is in time
 *                                        '--'                (one that cannot be stopped is fed on while the fence is idle)
 *
 * Let `end` be the end of the lease that the fence's deadline was computed from (deadline + margin), T the timeout.
 * - In time: now + T <= end - safety. Opening starts the clock as feeding does, so both are done in time only. Hence a fence that
 *   stops running at any instant leaves a machine that is reset by end - safety: before another member can lead.
 * - The fence strikes at end - margin, earlier than that (safety < margin, config checks it), and a fence that has done its work
 *   releases the device: one that is alive never has its machine reset.
 * - When the holder of the device *dies*, Linux closes the device, and feeds it once more in doing so. Reset is then at T after
 *   the death. With T <= ttl - keep-alive - safety (`longestTimeoutMs`) that is in time as long as keep-alives were being
 *   answered until then; a fence that is killed later than that, with an agent that does not start another one, is not covered.
 * - Without a known timeout, or with a longer one, nothing of this holds: the device is then fed until the deadline itself, so
 *   that a machine that hangs is reset at some time at least (`automatic`), or it is not enough (`required`).
 */
import type { FenceState } from './fence.ts';

/** What is known of a device. */
export interface WatchdogFacts {
  /** Undefined when it cannot be learned. */
  readonly timeoutMs: number | undefined;
  /** 'V' and closing stop it; false with `nowayout`. */
  readonly isStoppable: boolean;
  /** It has no 'V' and stops whenever it is closed: also when its holder dies. */
  readonly stopsWhenClosed: boolean;
}

/** Why a device cannot keep the promise. */
export type WatchdogFlaw = 'timeout-unknown' | 'timeout-too-long' | 'stops-when-closed';

/** The longest timeout, in whole seconds as devices have them, with which the machine is reset before the lease ends; 0: none. */
export function longestTimeoutMs(lease: {
  readonly ttlMs: number;
  readonly keepAliveMs: number;
  readonly safetyMs: number;
}): number {
  const { ttlMs, keepAliveMs, safetyMs } = lease;
  return Math.max(0, Math.floor((ttlMs - keepAliveMs - safetyMs) / 1000) * 1000);
}

export function watchdogFlaw(facts: WatchdogFacts, longestMs: number): WatchdogFlaw | undefined {
  if (facts.timeoutMs === undefined) return 'timeout-unknown';
  if (facts.timeoutMs > longestMs) return 'timeout-too-long';
  return facts.stopsWhenClosed && facts.isStoppable ? 'stops-when-closed' : undefined;
}

/** How the fence goes about the device. */
export interface WatchdogTiming {
  /** Undefined: none that fits the lease, so the fence's own deadline counts. */
  readonly timeoutMs: number | undefined;
  readonly safetyMs: number;
  readonly isStoppable: boolean;
}

export interface WatchdogHold {
  readonly isHeld: boolean;
  /** When it was opened or fed last (monotonic). */
  readonly fedAt: number;
  /** After a failure: not before then again. */
  readonly retryAt: number;
}

export const noHold: WatchdogHold = {
  isHeld: false,
  fedAt: Number.NEGATIVE_INFINITY,
  retryAt: Number.NEGATIVE_INFINITY,
};

export interface WatchdogStep {
  readonly do: 'open' | 'feed' | 'release' | 'rest';
  /** When to look again if nothing happens; undefined = only when the fence changes. */
  readonly wakeAt: number | undefined;
}

/** Often enough that some turns of a busy machine may be missed. */
const PERIOD_MAX_MS = 500;
/** The last feeding before it is too late is aimed so long ahead: a timer that is late would miss it. */
const LAST_AHEAD_MS = 20;

export function feedPeriodMs({ timeoutMs }: Pick<WatchdogTiming, 'timeoutMs'>): number {
  return Math.min(PERIOD_MAX_MS, (timeoutMs ?? Number.POSITIVE_INFINITY) / 4);
}

/** The last instant at which the device may be opened or fed for a fence with this deadline. */
export function feedUntil(
  deadline: number,
  { timeoutMs, safetyMs, marginMs }: WatchdogTiming & { readonly marginMs: number },
): number {
  return timeoutMs === undefined ? deadline : deadline + marginMs - safetyMs - timeoutMs;
}

/** What to do with the device now. */
export function planWatchdog(
  fence: FenceState,
  hold: WatchdogHold,
  at: { readonly now: number; readonly marginMs: number; readonly timing: WatchdogTiming },
): WatchdogStep {
  const { now, marginMs, timing } = at;
  const nextAt = Math.max(hold.fedAt + feedPeriodMs(timing), hold.retryAt);
  if (fence.is === 'idle') {
    if (!hold.isHeld) return rest(undefined);
    if (timing.isStoppable)
      return now >= hold.retryAt ? { do: 'release', wakeAt: undefined } : rest(hold.retryAt);
    return now >= nextAt ? { do: 'feed', wakeAt: undefined } : rest(nextAt);
  }
  const until = feedUntil(fence.deadline, { ...timing, marginMs });
  if (now > until) return rest(undefined);
  if (!hold.isHeld) {
    if (fence.is === 'striking') return rest(undefined);
    return now >= hold.retryAt ? { do: 'open', wakeAt: undefined } : rest(hold.retryAt);
  }
  const last = until - LAST_AHEAD_MS;
  const feedAt = nextAt > last && hold.fedAt < last && hold.retryAt < last ? last : nextAt;
  if (now >= feedAt) return { do: 'feed', wakeAt: undefined };
  return rest(feedAt <= until ? feedAt : undefined);
}

function rest(wakeAt: number | undefined): WatchdogStep {
  return { do: 'rest', wakeAt };
}
