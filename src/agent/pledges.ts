/**
 * What a member has pledged to a leader, and what of failsafe bears on its own decisions (rules and reasons: ha/failsafe.ts). It is
 * asked in failsafe-answer.ts.
 */
import { type FailsafeFacts, parseFailsafe } from '../ha/index.ts';
import type { AgentContext, AgentState } from './context.ts';

/** What has been pledged last. */
export interface Pledged {
  readonly to: string;
  /** Of the cluster whose leader it is; undefined where that is not known. */
  readonly systemId: string | undefined;
  /** Monotonic. */
  readonly until: number;
}

/** Of our own data, else of the cluster. */
export function systemIdOf({ inspection, view }: AgentState): string | undefined {
  const known = inspection?.control?.systemId ?? view.systemId;
  return known === '' ? undefined : known;
}

/** For how long what was pledged still binds; 0: it does not. A pledge in another cluster binds nothing in this one. */
export function boundForMs(state: AgentState, now: number): number {
  const { pledged } = state;
  if (pledged === undefined || now >= pledged.until) return 0;
  const systemId = systemIdOf(state);
  const isOther = pledged.systemId !== undefined && systemId !== undefined && pledged.systemId !== systemId;
  return isOther ? 0 : pledged.until - now;
}

/** What decides about racing. */
export function failsafeFacts({ state, config, clock, layout }: AgentContext): FailsafeFacts {
  const entry = state.view.entries.get(layout.failsafe);
  const list = parseFailsafe(entry?.value);
  const key =
    list === undefined
      ? 'absent'
      : !list.has(config.name)
        ? 'unlisted'
        : list.size === 1
          ? 'alone'
          : 'listed';
  return {
    key,
    revision: entry?.modRevision ?? 0,
    boundForMs: boundForMs(state, clock.now()),
    aliveForMs: clock.now() - state.startedAt,
  };
}

/** It leads by what the members have pledged, or has pledged itself: Patroni's `failsafe_mode_is_active`. */
export function isFailsafeActive({ keeper, state, clock }: AgentContext): boolean {
  return (keeper.isFailsafe && keeper.isSafe(0)) || boundForMs(state, clock.now()) > 0;
}
