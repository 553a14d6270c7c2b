/**
 * Whether a node is fit for reads: a machine with three states. Pure; time is monotonic ms.
 *
 *          strikes; one failed connect                       clear, not before `outUntil`
 *   in  ─────────────────────────────────────▶  out  ────────────────────────────────────▶  returning
 *    ▲                                           ▲                                            │   │
 *    │                                           └─────────────────── as from in ─────────────┘   │
 *    └─────────────────────────────   RAMP_MS later    ─────────────────────────────────────────┘
 *
 * Hysteresis: what sends a node out must be seen several times in a row, since one answer may be late by chance; what lets
 * it back must be within half the bounds. A node that is back gets a quarter of its share first. One that goes out again soon
 * stays out twice as long each time, so that a node that comes and goes does not take clients with it.
 */
import type { Position } from './position.ts';
import type { Lag } from './wal-trail.ts';

/** Why a node is out; the first two are about contact, the others about what it says. */
export type OutReason = 'unreachable' | 'silent' | 'not-streaming' | 'replay-paused' | 'lagging' | 'slow';

export interface NodeHealth {
  readonly state: 'in' | 'out' | 'returning';
  /** Why it is out, or was the last time. */
  readonly because: OutReason | undefined;
  /** When it came into this state. */
  readonly since: number;
  readonly outUntil: number;
  /** How often it went out soon after it had come back. */
  readonly relapses: number;
  /** What was seen against it lately, and how often in a row. */
  readonly suspicion: { readonly because: OutReason; readonly strikes: number } | undefined;
}

/** What an answer says: what speaks against the node at the bounds, and whether nothing does at half of them. */
export interface Finding {
  readonly against: OutReason | undefined;
  readonly isClear: boolean;
}

export type HealthEvent =
  /** A new connection was opened, or could be. */
  | { readonly kind: 'connected' }
  | { readonly kind: 'connect-failed' }
  /** It did not say where it is. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'answered'; readonly finding: Finding }
  | { readonly kind: 'tick' };

export interface LagLimit {
  readonly kind: 'ms' | 'bytes';
  readonly value: number;
}

/** In a row, for a node that is in. A refused connect is no chance. */
const STRIKES: Readonly<Record<OutReason, number>> = {
  unreachable: 1,
  silent: 2,
  'not-streaming': 2,
  'replay-paused': 2,
  lagging: 2,
  slow: 3,
};
const OUT_MS = 500;
const OUT_MAX_MS = 8000;
/** Whoever goes out again within this time after it came back has relapsed. */
const CALM_MS = 30_000;
export const RAMP_MS = 2000;
const RAMP_STEPS = 4;

/** Of a node of which nothing is known yet: it is tried. */
export const unknownHealth: NodeHealth = {
  state: 'in',
  because: undefined,
  since: Number.NEGATIVE_INFINITY,
  outUntil: 0,
  relapses: 0,
  suspicion: undefined,
};

/** The health after `event`; the same object if nothing has changed. */
export function nextHealth(health: NodeHealth, event: HealthEvent, now: number): NodeHealth {
  const against = againstOf(event);
  switch (health.state) {
    case 'in':
      return against === undefined ? trusted(health, event) : suspected(health, against, now);
    case 'returning':
      if (against !== undefined) return suspected(health, against, now);
      return now - health.since >= RAMP_MS ? { ...health, state: 'in', since: now } : trusted(health, event);
    case 'out':
      if (letsBack(health, event, now)) return { ...health, state: 'returning', since: now };
      // Known is what is worst: that it cannot be connected to is not forgotten over an answer on an old connection.
      return against === undefined || against === health.because || health.because === 'unreachable'
        ? health
        : { ...health, because: against };
  }
  return health;
}

/** The part of its share that a node gets now, in [0, 1]. */
export function healthShare({ state, since }: NodeHealth, now: number): number {
  if (state !== 'returning') return state === 'in' ? 1 : 0;
  return Math.min(RAMP_STEPS, Math.floor(((now - since) / RAMP_MS) * RAMP_STEPS) + 1) / RAMP_STEPS;
}

export interface Bounds {
  /** Undefined: nobody knows, since there is no primary to compare with; reads then go on where they can. */
  readonly lag: Lag | undefined;
  readonly lagLimit: LagLimit;
  readonly slowAfterMs: number;
}

/** What a node's answer says about its fitness. */
export function judgePosition(position: Position, { lag, lagLimit, slowAfterMs }: Bounds): Finding {
  const tookMs = position.answeredAt - position.askedAt;
  const isStandby = position.isInRecovery && lag !== undefined;
  const behind = isStandby ? lag[lagLimit.kind] : 0;
  const isPaused = isStandby && position.isReplayPaused && lag.bytes > 0;
  const isCutOff = isStandby && !position.isStreaming;
  const against = isCutOff
    ? 'not-streaming'
    : isPaused
      ? 'replay-paused'
      : behind > lagLimit.value
        ? 'lagging'
        : tookMs > slowAfterMs
          ? 'slow'
          : undefined;
  const isWithinHalf = behind <= lagLimit.value / 2 && tookMs <= slowAfterMs / 2;
  return { against, isClear: against === undefined && isWithinHalf };
}

const SLOW_MIN_MS = 250;
const SLOW_FACTOR = 4;

/**
 * An answer that takes longer is slow: longer than the node itself usually takes, which is its distance, and longer than
 * others take at the same time, since when all are slow it is this host that is.
 */
export function slowBoundMs(usualMs: number, fastestOtherMs: number): number {
  return Math.max(SLOW_MIN_MS, SLOW_FACTOR * usualMs, SLOW_FACTOR * fastestOtherMs);
}

function againstOf(event: HealthEvent): OutReason | undefined {
  switch (event.kind) {
    case 'connect-failed':
      return 'unreachable';
    case 'silent':
      return 'silent';
    case 'answered':
      return event.finding.against;
    case 'connected':
    case 'tick':
      return undefined;
  }
  return undefined;
}

/** An answer ends any suspicion; a connection says nothing about what the node would answer. */
function trusted(health: NodeHealth, event: HealthEvent): NodeHealth {
  return event.kind === 'answered' && health.suspicion !== undefined
    ? { ...health, suspicion: undefined }
    : health;
}

function suspected(health: NodeHealth, because: OutReason, now: number): NodeHealth {
  const before = health.suspicion?.because === because ? health.suspicion.strikes : 0;
  const strikes = before + 1;
  return strikes >= STRIKES[because]
    ? out(health, because, now)
    : { ...health, suspicion: { because, strikes } };
}

function out(health: NodeHealth, because: OutReason, now: number): NodeHealth {
  const isRelapse = health.state === 'returning' || now - health.since < CALM_MS;
  const relapses = isRelapse ? health.relapses + 1 : 0;
  const outUntil = now + Math.min(OUT_MAX_MS, OUT_MS * 2 ** relapses);
  return { state: 'out', because, since: now, outUntil, relapses, suspicion: undefined };
}

/** Only the kind of evidence that sent it out can let it back. */
function letsBack({ because, outUntil }: NodeHealth, event: HealthEvent, now: number): boolean {
  if (now < outUntil) return false;
  if (because === 'unreachable') return event.kind === 'connected';
  return event.kind === 'answered' && event.finding.isClear;
}
