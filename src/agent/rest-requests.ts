/** What the bodies of changing requests mean: Patroni's fields and its words of refusal. Values in, values out. */
import { isRecord, parseDuration } from '../base/index.ts';
import type { RestartFilter, ScheduledRestart } from './scheduled-restart.ts';

/** Refused with an HTTP status and Patroni's text. */
export interface Refusal {
  readonly status: 400 | 422;
  readonly text: string;
}

export type Parsed<T> = { readonly ok: T } | { readonly refused: Refusal };

const refused = (status: Refusal['status'], text: string): { readonly refused: Refusal } => ({
  refused: { status, text },
});

/** A time of day with its zone, as ISO 8601 writes it; `now` is wall-clock milliseconds. */
export function parseSchedule(value: unknown, action: string, now: number): Parsed<number> {
  const found =
    typeof value === 'string'
      ? /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)\s*(Z|[+-]\d\d(?::?\d\d)?)?$/i.exec(
          value.trim(),
        )
      : null;
  const [, day = '', time = '', zone] = found ?? [];
  // Without a zone it is read as UTC here, only to tell a time without a zone from no time at all.
  const offset = zone?.replace(
    /^([+-]\d\d)(?::?(\d\d))?$/,
    (_all, hours, minutes) => `${hours}:${minutes ?? '00'}`,
  );
  const at = Date.parse(`${day}T${time.replace(',', '.')}${offset ?? 'Z'}`);
  if (found === null || Number.isNaN(at)) {
    return refused(
      422,
      'Unable to parse scheduled timestamp. It should be in an unambiguous format, e.g. ISO 8601',
    );
  }
  if (zone === undefined)
    return refused(400, `Timezone information is mandatory for the scheduled ${action}`);
  return at < now ? refused(422, `Cannot schedule ${action} in the past`) : { ok: at };
}

/** A restart that was asked for: at once when it has no time. */
export interface RestartWish extends RestartFilter {
  readonly at: number | undefined;
  readonly startMs: number | undefined;
  readonly json: Omit<ScheduledRestart['json'], 'schedule'> & { readonly schedule?: string };
}

const NO_RESTART_FILTER: RestartWish = {
  role: undefined,
  olderThan: undefined,
  isOnlyPending: false,
  at: undefined,
  startMs: undefined,
  json: {},
};

export function parseRestart(body: Readonly<Record<string, unknown>>, now: number): Parsed<RestartWish> {
  let wish = NO_RESTART_FILTER;
  for (const [key, value] of Object.entries(body)) {
    const next = withField(wish, key, { value, now });
    if ('refused' in next) return next;
    wish = next.ok;
  }
  return { ok: wish };
}

function withField(
  wish: RestartWish,
  key: string,
  { value, now }: { readonly value: unknown; readonly now: number },
): Parsed<RestartWish> {
  const { json } = wish;
  switch (key) {
    case 'schedule': {
      const at = parseSchedule(value, 'restart', now);
      if ('refused' in at) return at;
      return { ok: { ...wish, at: at.ok, json: { ...json, schedule: isoTime(at.ok) } } };
    }
    case 'role': {
      const role = value === 'master' ? 'primary' : value;
      if (role !== 'primary' && role !== 'replica' && role !== 'standby_leader')
        return refused(400, 'PostgreSQL role should be either primary or replica');
      return { ok: { ...wish, role, json: { ...json, role } } };
    }
    case 'postgres_version': {
      const olderThan = versionNumber(value);
      if (olderThan === undefined)
        return refused(400, `Invalid PostgreSQL version format: X.Y or X.Y.Z is accepted: ${String(value)}`);
      return { ok: { ...wish, olderThan, json: { ...json, postgres_version: String(value) } } };
    }
    case 'timeout': {
      const startMs = periodMs(value);
      if (startMs === undefined) return refused(400, 'Timeout should be a positive number of seconds');
      return { ok: { ...wish, startMs, json: { ...json, timeout: startMs / 1000 } } };
    }
    case 'restart_pending':
      return { ok: { ...wish, isOnlyPending: true, json: { ...json, restart_pending: true } } };
    default:
      return refused(400, `Unknown filter for the scheduled restart: ${key}`);
  }
}

/** ISO 8601 in UTC with `+00:00`, as Python reads it in all its versions. */
export function isoTime(at: number): string {
  return new Date(at).toISOString().replace('Z', '+00:00');
}

/** `server_version_num` of `9.6.24` or `15.3`; undefined for anything else. */
export function versionNumber(value: unknown): number | undefined {
  const parts = typeof value === 'string' && /^\d{1,3}(\.\d{1,3}){1,2}$/.test(value) ? value.split('.') : [];
  const [major = Number.NaN, minor = Number.NaN, patch] = parts.map(Number);
  const number = patch === undefined ? major * 10_000 + minor : major * 10_000 + minor * 100 + patch;
  return Number.isNaN(number) ? undefined : number;
}

function periodMs(value: unknown): number | undefined {
  const ms = typeof value === 'string' || typeof value === 'number' ? parseDuration(value) : undefined;
  return ms === undefined || ms <= 0 ? undefined : ms;
}

export interface ChangeOfLeader {
  readonly leader: string | undefined;
  readonly candidate: string | undefined;
  readonly at: number | undefined;
}

/** A switchover (from a certain leader) or a failover (to a certain candidate). */
export function parseChangeOfLeader(
  body: Readonly<Record<string, unknown>>,
  action: 'switchover' | 'failover',
  facts: { readonly isPaused: boolean; readonly now: number },
): Parsed<ChangeOfLeader> {
  const field = (name: string): string | undefined => {
    const value = body[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const leader = field('leader');
  const candidate = field('candidate') ?? field('member');
  const scheduledAt = body['scheduled_at'] ?? undefined;
  if (action === 'failover' && candidate === undefined)
    return refused(400, 'Failover could be performed only to a specific candidate');
  if (action === 'switchover' && leader === undefined)
    return refused(400, 'Switchover could be performed only from a specific leader');
  if (leader !== undefined && leader === candidate)
    return refused(400, 'Switchover target and source are the same');
  let at: number | undefined;
  if (scheduledAt !== undefined && scheduledAt !== '') {
    if (leader === undefined)
      return refused(400, `Scheduled ${action} is possible only from a specific leader`);
    if (facts.isPaused) return refused(400, `Can't schedule ${action} in the paused state`);
    const parsed = parseSchedule(scheduledAt, action, facts.now);
    if ('refused' in parsed) return parsed;
    at = parsed.ok;
  }
  if (facts.isPaused && candidate === undefined) {
    const title = action === 'failover' ? 'Failover' : 'Switchover';
    return refused(400, `${title} is possible only to a specific candidate in a paused state`);
  }
  return { ok: { leader, candidate, at } };
}

/**
 * Patroni's merge of a partial configuration: objects are merged, `null` removes a key, all else replaces. The same object
 * comes back when nothing changed.
 */
export function patchConfig(
  config: Readonly<Record<string, unknown>>,
  patch: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const patched = new Map(Object.entries(config));
  for (const [key, value] of Object.entries(patch)) {
    const before = patched.get(key);
    if (value === null) patched.delete(key);
    else if (isRecord(value) && isRecord(before)) patched.set(key, patchConfig(before, value));
    else patched.set(key, isRecord(value) ? patchConfig({}, value) : value);
  }
  const after = Object.fromEntries(patched);
  return JSON.stringify(after) === JSON.stringify(config) ? config : after;
}
