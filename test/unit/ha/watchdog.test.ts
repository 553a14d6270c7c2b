/** The watchdog's arithmetic and plan: for any order of events the machine is reset before the lease ends, or not at all. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decide,
  type FenceEvent,
  type FenceState,
  idleFence,
  longestTimeoutMs,
  noHold,
  planWatchdog,
  stepFence,
  strikePlan,
  type WatchdogFacts,
  type WatchdogHold,
  type WatchdogTiming,
  watchdogFlaw,
} from '../../../src/ha/index.ts';
import { aCluster, aLocal, anObservation } from '../../support/observations.ts';

const MARGIN_MS = 1000;
const TTL_MS = 5000;
const KEEP_ALIVE_MS = 1000;
const SAFETY_MS = 250;
const STEP_MS = 5;
const LEASE = { ttlMs: TTL_MS, keepAliveMs: KEEP_ALIVE_MS, safetyMs: SAFETY_MS };
const GOOD: WatchdogFacts = { timeoutMs: 3000, isStoppable: true, stopsWhenClosed: false };
const timing: WatchdogTiming = { timeoutMs: 3000, safetyMs: SAFETY_MS, isStoppable: true };

test('the longest timeout is what the lease leaves in whole seconds', () => {
  equal(longestTimeoutMs(LEASE), 3000);
  equal(longestTimeoutMs({ ttlMs: 30_000, keepAliveMs: 1000, safetyMs: 250 }), 28_000);
  equal(longestTimeoutMs({ ttlMs: 2000, keepAliveMs: 1000, safetyMs: 250 }), 0);
  equal(longestTimeoutMs({ ttlMs: 500, keepAliveMs: 1000, safetyMs: 250 }), 0);
});

const flaw = (changes: Partial<WatchdogFacts>): unknown =>
  watchdogFlaw({ ...GOOD, ...changes }, longestTimeoutMs(LEASE));

test('a device is good when it resets the machine in time, also when its holder dies', () => {
  equal(flaw({}), undefined);
  equal(flaw({ timeoutMs: 1000 }), undefined);
  equal(flaw({ timeoutMs: 4000 }), 'timeout-too-long');
  equal(flaw({ timeoutMs: undefined }), 'timeout-unknown');
  equal(flaw({ stopsWhenClosed: true }), 'stops-when-closed');
  // `nowayout`: closing stops nothing.
  equal(flaw({ stopsWhenClosed: true, isStoppable: false }), undefined);
});

/** A machine: a fence with its device, driven by its own timers, while it runs. */
class Machine {
  fence: FenceState = idleFence;
  hold: WatchdogHold = noHold;
  /** When the device resets the machine unless it is fed; undefined while it is stopped. */
  firesAt: number | undefined;
  resetAt: number | undefined;
  touches = 0;
  now = 0;
  readonly timing: WatchdogTiming;
  readonly timeoutMs: number;

  constructor(how: WatchdogTiming, timeoutMs: number) {
    this.timing = how;
    this.timeoutMs = timeoutMs;
  }

  event(event: FenceEvent): void {
    this.fence = stepFence(this.fence, event, { now: this.now, marginMs: MARGIN_MS }).state;
    this.turn();
  }

  turn(): number | undefined {
    for (;;) {
      const step = planWatchdog(this.fence, this.hold, {
        now: this.now,
        marginMs: MARGIN_MS,
        timing: this.timing,
      });
      if (step.do === 'rest') return step.wakeAt;
      this.touches += 1;
      this.firesAt = step.do === 'release' ? undefined : this.now + this.timeoutMs;
      this.hold = step.do === 'release' ? noHold : { isHeld: true, fedAt: this.now, retryAt: noHold.retryAt };
    }
  }

  /** Lets time pass; `isRunning`: the fence acts on its timers, a little late. */
  pass(ms: number, isRunning: boolean, serverGone = false): void {
    const end = this.now + ms;
    while (this.now < end && this.resetAt === undefined) {
      this.now = Math.min(end, this.now + (isRunning ? STEP_MS : ms));
      if (this.firesAt !== undefined && this.now >= this.firesAt) this.resetAt = this.firesAt;
      if (!isRunning || this.resetAt !== undefined) continue;
      this.event({ type: serverGone && this.fence.is === 'striking' ? 'server-gone' : 'tick' });
    }
  }
}

/** Keep-alives: how long after the last one each is sent, and how long its answer takes. */
const keepAlives = fc.array(
  fc.record({ afterMs: fc.integer({ min: 200, max: 1000 }), answerMs: fc.integer({ min: 1, max: 1000 }) }),
  { minLength: 1, maxLength: 5 },
);
const timeouts = fc.integer({ min: 1, max: 3 }).map((seconds) => seconds * 1000);

/** Arms as answers of keep-alives come in; gives the end of the lease as the last sending that was answered tells. */
function serve(
  machine: Machine,
  rounds: readonly { readonly afterMs: number; readonly answerMs: number }[],
): number {
  let end = 0;
  for (const { afterMs, answerMs } of rounds) {
    machine.pass(afterMs, true);
    const sentAt = machine.now;
    machine.pass(answerMs, true);
    end = sentAt + TTL_MS;
    machine.event({ type: 'arm', deadline: end - MARGIN_MS });
  }
  return end;
}

test('a fence that stops running at any instant leaves a machine that is reset before the lease ends', () => {
  fc.assert(
    fc.property(
      keepAlives,
      timeouts,
      fc.integer({ min: 0, max: 8000 }),
      (rounds, timeoutMs, frozenAfterMs) => {
        const machine = new Machine({ ...timing, timeoutMs }, timeoutMs);
        const end = serve(machine, rounds);
        ok(machine.hold.isHeld, 'it is held while the fence is armed');
        machine.pass(frozenAfterMs, true);
        if (machine.resetAt === undefined) machine.pass(20_000, false);
        ok(
          machine.resetAt !== undefined && machine.resetAt <= end - SAFETY_MS,
          `${machine.resetAt} of ${end}`,
        );
      },
    ),
  );
});

test('a fence that runs and finds its server gone never has the machine reset', () => {
  fc.assert(
    fc.property(keepAlives, timeouts, fc.boolean(), (rounds, timeoutMs, isDisarmed) => {
      const machine = new Machine({ ...timing, timeoutMs }, timeoutMs);
      serve(machine, rounds);
      if (isDisarmed) machine.event({ type: 'disarm' });
      machine.pass(8000, true, true);
      equal(machine.resetAt, undefined);
      deepEqual(machine.hold, noHold);
      equal(machine.firesAt, undefined, 'it is stopped');
    }),
  );
});

test('a holder that dies while keep-alives are answered leaves a machine that is reset in time, though its death feeds the device', () => {
  fc.assert(
    fc.property(
      fc.record({
        ttlMs: fc.integer({ min: 2000, max: 60_000 }),
        keepAliveMs: fc.integer({ min: 50, max: 10_000 }),
        safetyMs: fc.integer({ min: 0, max: 2000 }),
      }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (lease, share) => {
        const timeoutMs = longestTimeoutMs(lease);
        const sentBeforeMs = share * lease.keepAliveMs;
        fc.pre(timeoutMs > 0);
        ok(sentBeforeMs + timeoutMs <= lease.ttlMs - lease.safetyMs);
        ok(lease.keepAliveMs + timeoutMs + 1000 > lease.ttlMs - lease.safetyMs, 'no longer one would do');
      },
    ),
  );
});

test('the fence has struck its last blow before the machine would be reset', () => {
  const machine = new Machine(timing, 3000);
  machine.event({ type: 'arm', deadline: TTL_MS - MARGIN_MS });
  machine.pass(20_000, false);
  const fedOnlyOnce = machine.resetAt;
  equal(fedOnlyOnce, 3000);
  const alive = new Machine(timing, 3000);
  alive.event({ type: 'arm', deadline: TTL_MS - MARGIN_MS });
  // A server that no blow ends: the machine has to end it.
  alive.pass(8000, true);
  const lastBlow = TTL_MS - MARGIN_MS + (strikePlan(MARGIN_MS).at(-1)?.afterMs ?? 0);
  ok(alive.resetAt !== undefined && alive.resetAt > lastBlow && alive.resetAt <= TTL_MS - SAFETY_MS);
  equal(alive.resetAt, 4730);
});

test('a device is not opened when there is too little time left, but with the next deadline', () => {
  const machine = new Machine(timing, 3000);
  machine.now = 1751;
  machine.event({ type: 'arm', deadline: 4000 });
  deepEqual(machine.hold, noHold);
  machine.event({ type: 'arm', deadline: 5000 });
  equal(machine.hold.isHeld, true);
});

test('one whose timeout fits no lease is fed until the deadline, and resets a machine that hangs later than that', () => {
  const machine = new Machine({ ...timing, timeoutMs: undefined }, 60_000);
  machine.event({ type: 'arm', deadline: 4000 });
  machine.pass(4000, true);
  ok(machine.hold.fedAt > 3400 && machine.hold.fedAt <= 4000);
  machine.pass(100_000, false);
  ok((machine.resetAt ?? 0) > 63_000);
});

test('one that cannot be stopped is fed on while there is nothing to guard', () => {
  const machine = new Machine({ ...timing, isStoppable: false }, 3000);
  machine.pass(10, true);
  equal(machine.touches, 0, 'it is not opened for nothing');
  machine.event({ type: 'arm', deadline: 4000 });
  machine.event({ type: 'disarm' });
  machine.pass(20_000, true);
  equal(machine.resetAt, undefined);
  machine.pass(60_000, false);
  ok(machine.resetAt !== undefined);
});

test('after a failure it is tried again at the time that was set, not before', () => {
  const at = { now: 1000, marginMs: MARGIN_MS, timing };
  const armed: FenceState = { is: 'armed', deadline: 5000 };
  deepEqual(planWatchdog(armed, { ...noHold, retryAt: 1500 }, at), { do: 'rest', wakeAt: 1500 });
  const held = { isHeld: true, fedAt: 500, retryAt: 1500 };
  deepEqual(planWatchdog(armed, held, at), { do: 'rest', wakeAt: 1500 });
  deepEqual(planWatchdog(idleFence, held, at), { do: 'rest', wakeAt: 1500 });
  deepEqual(planWatchdog(idleFence, held, { ...at, now: 1500 }), { do: 'release', wakeAt: undefined });
});

test('a member that leads only with a watchdog, and has none, does not make the cluster', () => {
  const local = aLocal({ data: 'empty', process: 'stopped', role: 'unknown', systemId: undefined });
  const cluster = aCluster({ systemId: undefined, leader: undefined });
  const decided = (lacksWatchdog: boolean): string => {
    const self = { name: 'alpha', isNofailover: false, priority: 1, isSameCity: false, lacksWatchdog };
    const { action, because } = decide(anObservation({ local, self, lock: { is: 'none' }, cluster }));
    return `${action.do}: ${because}`;
  };
  equal(decided(true), 'wait: watchdog-unusable');
  equal(decided(false), 'bootstrap: no-cluster-yet');
});
