/**
 * Keeping one file right: what to do next, given what happened. The shell does it and tells what came of it; nothing here
 * waits, reads or writes. At most one thing is under way at a time.
 *
 *          quiet, or tired of waiting            differs                         accepted
 *   idle ─────────────────────────▶ rendering ───────────▶ staging ─▶ checking ─────────▶ noting ─▶ renaming
 *    ▲ ▲                             │ same, refused, failed   │ failed   │ failed           │ failed   │ failed   │
 *    │ └──────── (back-off) ─────────┴─────────────────────────┴──────────┴──────────────────┴──────────┘          │
 *    └──────────────────────────── reloading ◀──────── a reload is owed (at once, then with back-off) ◀────────────┘
 *
 * Invariants, and the failure that each prevents:
 * - a file is replaced only by what was rendered from one whole snapshot that was judged enough and that check_cmd
 *   accepted; whatever fails before the rename leaves the file as it is: a broken backend never empties a file;
 * - a change that comes while something is under way is kept, and worked on afterwards: the last state is always applied;
 * - changes are waited out until it is quiet, for a bounded time: a thousand changes are a handful of reloads;
 * - that a reload is owed is noted on disk before the rename, and until reload_cmd has succeeded for what is then in
 *   place: a reload that failed, hung or was cut off by our own end is made up for;
 * - without the store nothing is begun, and what was asked for is begun when it is back: the file stays as it is;
 * - what fails is tried again, later and later, for ever: there is nobody to wait for.
 */
import { type BackoffLimits, backoffMs, unreachable } from '../../base/index.ts';

/** Why a file is not as it should be. */
export type Because =
  | 'store-lost'
  | 'snapshot-failed'
  | 'too-few-keys'
  | 'too-few-members'
  | 'required-key-missing'
  | 'template-failed'
  | 'stage-failed'
  | 'check-failed'
  | 'note-failed'
  | 'rename-failed'
  | 'reload-failed';

export interface Settings {
  readonly debounceMs: number;
  readonly maxWaitMs: number;
  /** So often everything is looked at even if nothing was said to have changed. */
  readonly resyncMs: number;
  readonly retry: BackoffLimits;
  readonly hasCheck: boolean;
  readonly hasReload: boolean;
  /** Nothing is changed: what would be is shown. */
  readonly isNoop: boolean;
}

export interface Trouble {
  readonly because: Because;
  readonly message: string;
  readonly at: number;
}

/** What is under way. */
type Work = 'idle' | 'rendering' | 'staging' | 'checking' | 'noting' | 'renaming' | 'reloading';

export interface PlanState {
  readonly work: Work;
  /** Changes that nobody has looked at: when the first and the last came. */
  readonly pending: { readonly firstAt: number; readonly lastAt: number } | undefined;
  readonly isStoreLost: boolean;
  readonly lookedAt: number;
  /** What failed before the rename, and when it is tried again. */
  readonly applyRetry: Retry | undefined;
  readonly isReloadOwed: boolean;
  readonly reloadRetry: Retry | undefined;
  /** For the status. */
  readonly revision: string | undefined;
  readonly succeededAt: number | undefined;
  readonly trouble: Trouble | undefined;
}

interface Retry {
  readonly attempt: number;
  readonly at: number;
}

export type PlanEvent =
  | { readonly type: 'changed' }
  | { readonly type: 'tick' }
  | { readonly type: 'storeLost' }
  | { readonly type: 'storeBack' }
  /** Rendered from a snapshot that was enough. `isSame`: the file is so already, owner and mode included. */
  | { readonly type: 'rendered'; readonly revision: string; readonly isSame: boolean }
  /** What was under way could not be done. */
  | { readonly type: 'failed'; readonly because: Because; readonly message: string }
  /** What was under way is done: staged, checked, noted, renamed or reloaded. */
  | { readonly type: 'done' };

/** For the shell, in order. */
export type Effect =
  /** Take one whole snapshot, judge it, render, compare with the file. */
  | { readonly do: 'render' }
  /** Write beside the file, with owner and mode, and to the disk. */
  | { readonly do: 'stage' }
  | { readonly do: 'check' | 'rename' | 'reload' | 'show' }
  /** Remember across our own end whether a reload is owed. */
  | { readonly do: 'note'; readonly isReloadOwed: boolean }
  | { readonly do: 'discardStaged' };

export interface Step {
  readonly state: PlanState;
  readonly effects: readonly Effect[];
}

/** The start: the file is looked at, and a reload that was owed before is owed still. */
export function initialState(
  noted: { readonly isReloadOwed: boolean },
  settings: Settings,
  now: number,
): PlanState {
  return {
    work: 'idle',
    pending: { firstAt: Number.NEGATIVE_INFINITY, lastAt: Number.NEGATIVE_INFINITY },
    isStoreLost: false,
    lookedAt: now,
    applyRetry: undefined,
    isReloadOwed: noted.isReloadOwed && settings.hasReload,
    reloadRetry: undefined,
    revision: undefined,
    succeededAt: undefined,
    trouble: undefined,
  };
}

/** One event. `random` is in [0, 1) and spreads retries. */
export function step(
  state: PlanState,
  event: PlanEvent,
  settings: Settings,
  { now, random }: { now: number; random: number },
): Step {
  const moment = { settings, now, random };
  switch (event.type) {
    case 'changed':
      return next({ ...state, pending: { firstAt: state.pending?.firstAt ?? now, lastAt: now } }, moment);
    case 'tick':
      return next(state, moment);
    case 'storeLost':
      return { state: storeLost(state, now), effects: [] };
    case 'storeBack':
      return next(
        {
          ...state,
          isStoreLost: false,
          // What changed meanwhile nobody has told.
          pending: state.pending ?? { firstAt: now, lastAt: now },
          trouble: state.trouble?.because === 'store-lost' ? undefined : state.trouble,
        },
        moment,
      );
    case 'rendered':
      return rendered(state, event, moment);
    case 'failed':
      return failed(state, event, moment);
    case 'done':
      return done(state, moment);
  }
  return unreachable(event);
}

function storeLost(state: PlanState, at: number): PlanState {
  const trouble: Trouble = { because: 'store-lost', message: 'the store does not answer', at };
  return state.isStoreLost ? state : { ...state, isStoreLost: true, trouble };
}

/** When a `tick` is wanted at the latest; undefined while something is under way. */
export function wakeAt(state: PlanState, settings: Settings): number | undefined {
  return state.work === 'idle' ? Math.min(...dueTimes(state, settings)) : undefined;
}

interface Moment {
  readonly settings: Settings;
  readonly now: number;
  readonly random: number;
}

/** Begins what is due, if nothing is under way: a look at the file before a reload that failed. */
function next(state: PlanState, { settings, now }: Moment): Step {
  if (state.work !== 'idle') return { state, effects: [] };
  const [renderAt, reloadAt] = dueTimes(state, settings);
  if (renderAt <= now)
    return {
      state: { ...state, work: 'rendering', pending: undefined, lookedAt: now },
      effects: [{ do: 'render' }],
    };
  if (reloadAt <= now) return reload(state);
  return { state, effects: [] };
}

/** When to look at the file, and when to make up for a reload. */
function dueTimes(
  state: PlanState,
  { debounceMs, maxWaitMs, resyncMs }: Settings,
): readonly [number, number] {
  const { pending, applyRetry, reloadRetry, isReloadOwed, isStoreLost } = state;
  const quietAt =
    pending === undefined
      ? Number.POSITIVE_INFINITY
      : Math.min(pending.lastAt + debounceMs, pending.firstAt + maxWaitMs);
  const renderAt = Math.min(quietAt, applyRetry?.at ?? state.lookedAt + resyncMs);
  return [
    isStoreLost ? Number.POSITIVE_INFINITY : renderAt,
    isReloadOwed && reloadRetry !== undefined ? reloadRetry.at : Number.POSITIVE_INFINITY,
  ];
}

function rendered(
  state: PlanState,
  { revision, isSame }: Extract<PlanEvent, { type: 'rendered' }>,
  moment: Moment,
): Step {
  const seen: PlanState = { ...state, revision };
  if (moment.settings.isNoop)
    return after(isSame ? [] : [{ do: 'show' }], next(succeeded(seen, moment.now), moment));
  if (!isSame) return { state: { ...seen, work: 'staging' }, effects: [{ do: 'stage' }] };
  if (!state.isReloadOwed) return next(succeeded(seen, moment.now), moment);
  // In place already, but its reader does not know; at once if the debt is from before our own start.
  const idle: PlanState = { ...seen, work: 'idle', applyRetry: undefined };
  return state.reloadRetry === undefined ? reload(idle) : next(idle, moment);
}

function done(state: PlanState, moment: Moment): Step {
  const { hasCheck, hasReload } = moment.settings;
  const check: Step = { state: { ...state, work: 'checking' }, effects: [{ do: 'check' }] };
  const note: Step = { state: { ...state, work: 'noting' }, effects: [{ do: 'note', isReloadOwed: true }] };
  const rename: Step = { state: { ...state, work: 'renaming' }, effects: [{ do: 'rename' }] };
  switch (state.work) {
    case 'staging':
      return hasCheck ? check : hasReload ? note : rename;
    case 'checking':
      return hasReload ? note : rename;
    case 'noting':
      return rename;
    case 'renaming':
      if (!hasReload) return next(succeeded(state, moment.now), moment);
      return reload({ ...state, isReloadOwed: true, applyRetry: undefined, reloadRetry: undefined });
    case 'reloading':
      return after(
        [{ do: 'note', isReloadOwed: false }],
        next(succeeded({ ...state, isReloadOwed: false }, moment.now), moment),
      );
    case 'idle':
    case 'rendering':
      return { state, effects: [] };
  }
  return unreachable(state.work);
}

/** A step with effects before its own. */
function after(effects: readonly Effect[], then: Step): Step {
  return { state: then.state, effects: [...effects, ...then.effects] };
}

/** For what is in place now; whatever failed before is forgotten when it succeeds. */
function reload(state: PlanState): Step {
  return { state: { ...state, work: 'reloading' }, effects: [{ do: 'reload' }] };
}

function succeeded(state: PlanState, now: number): PlanState {
  return {
    ...state,
    work: 'idle',
    applyRetry: undefined,
    reloadRetry: undefined,
    succeededAt: now,
    trouble: undefined,
  };
}

function failed(
  state: PlanState,
  { because, message }: Extract<PlanEvent, { type: 'failed' }>,
  moment: Moment,
): Step {
  const { now, random, settings } = moment;
  const again = (retry: Retry | undefined): Retry => {
    const attempt = retry === undefined ? 0 : retry.attempt + 1;
    return { attempt, at: now + backoffMs(attempt, settings.retry, random) };
  };
  const troubled: PlanState = { ...state, work: 'idle', trouble: { because, message, at: now } };
  if (state.work === 'reloading') return next({ ...troubled, reloadRetry: again(state.reloadRetry) }, moment);
  const isStaged = ['staging', 'checking', 'noting', 'renaming'].includes(state.work);
  return after(
    isStaged ? [{ do: 'discardStaged' }] : [],
    next({ ...troubled, applyRetry: again(state.applyRetry) }, moment),
  );
}
