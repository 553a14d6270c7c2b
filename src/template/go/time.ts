/**
 * An instant with the offset and the name of its zone, as `time.Now` gives it, and the methods that templates call on
 * it. Layouts are Go's: the reference time `Mon Jan 2 15:04:05 MST 2006` written as wanted.
 */
import type { Type } from './values.ts';

const TIME: Type = { kind: 'struct', name: 'time.Time' };

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const DAY_MS = 86_400_000;

export interface Instant {
  readonly epochMs: number;
  /** Beyond the milliseconds, 0 to 999,999. */
  readonly nanos: number;
  readonly zoneOffsetSeconds: number;
  readonly zoneName: string;
}

export class Time {
  readonly type = TIME;
  readonly instant: Instant;
  constructor(instant: Instant) {
    this.instant = instant;
  }

  toString(): string {
    return this.format('2006-01-02 15:04:05.999999999 -0700 MST');
  }

  utc(): Time {
    return new Time({ ...this.instant, zoneOffsetSeconds: 0, zoneName: 'UTC' });
  }

  unix(): bigint {
    return BigInt(Math.floor(this.instant.epochMs / 1000));
  }

  /** Broken down in its zone; months from 1, days of the year from 1. */
  clock(): Clock {
    const { epochMs, nanos, zoneOffsetSeconds } = this.instant;
    const local = new Date(epochMs + zoneOffsetSeconds * 1000);
    const year = local.getUTCFullYear();
    return {
      year,
      month: local.getUTCMonth() + 1,
      day: local.getUTCDate(),
      weekday: local.getUTCDay(),
      hour: local.getUTCHours(),
      minute: local.getUTCMinutes(),
      second: local.getUTCSeconds(),
      nanosecond: local.getUTCMilliseconds() * 1_000_000 + nanos,
      yearDay: Math.floor((local.getTime() - Date.UTC(year, 0, 1)) / DAY_MS) + 1,
    };
  }

  format(layout: string): string {
    const clock = this.clock();
    return layout.replace(LAYOUT, (element) => this.#element(element, clock));
  }

  #element(element: string, clock: Clock): string {
    const fraction = /^([.,])([09]+)$/.exec(element);
    if (fraction !== null) return fractionOf(clock.nanosecond, fraction[1] ?? '', fraction[2] ?? '');
    if (/^[Z-]07/.test(element)) return zoneOf(this.instant.zoneOffsetSeconds, element);
    if (element === 'MST') return this.instant.zoneName;
    return ELEMENTS[element]?.(clock) ?? element;
  }
}

interface Clock {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly weekday: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly nanosecond: number;
  readonly yearDay: number;
}

/**
 * The longest first. A name of a month or a day is one only when no small letter follows its short form, and a fraction
 * of a second only when no digit follows it.
 */
const LAYOUT =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|_2006|__2|_2|002|0[1-6]|15|PM|pm|-07:00:00|-07:00|-070000|-0700|-07|Z07:00:00|Z070000|Z07:00|Z0700|Z07|[.,](?:0+|9+)(?!\d)|[1-5]/g;

const pad = (value: number, width: number, fill = '0'): string => String(value).padStart(width, fill);
const hour12 = (hour: number): number => hour % 12 || 12;

const ELEMENTS: Readonly<Record<string, (clock: Clock) => string>> = {
  January: ({ month }) => MONTHS[month - 1] ?? '',
  Jan: ({ month }) => (MONTHS[month - 1] ?? '').slice(0, 3),
  Monday: ({ weekday }) => DAYS[weekday] ?? '',
  Mon: ({ weekday }) => (DAYS[weekday] ?? '').slice(0, 3),
  '2006': ({ year }) => pad(year, 4),
  _2006: ({ year }) => `_${pad(year, 4)}`,
  '06': ({ year }) => pad(year % 100, 2),
  '01': ({ month }) => pad(month, 2),
  '1': ({ month }) => String(month),
  '02': ({ day }) => pad(day, 2),
  _2: ({ day }) => pad(day, 2, ' '),
  '2': ({ day }) => String(day),
  '002': ({ yearDay }) => pad(yearDay, 3),
  __2: ({ yearDay }) => pad(yearDay, 3, ' '),
  '15': ({ hour }) => pad(hour, 2),
  '03': ({ hour }) => pad(hour12(hour), 2),
  '3': ({ hour }) => String(hour12(hour)),
  '04': ({ minute }) => pad(minute, 2),
  '4': ({ minute }) => String(minute),
  '05': ({ second }) => pad(second, 2),
  '5': ({ second }) => String(second),
  PM: ({ hour }) => (hour >= 12 ? 'PM' : 'AM'),
  pm: ({ hour }) => (hour >= 12 ? 'pm' : 'am'),
};

function fractionOf(nanosecond: number, point: string, digits: string): string {
  const shown = pad(nanosecond, 9).slice(0, digits.length).padEnd(digits.length, '0');
  if (digits.startsWith('0')) return point + shown;
  const kept = shown.replace(/0+$/, '');
  return kept === '' ? '' : point + kept;
}

function zoneOf(offsetSeconds: number, element: string): string {
  if (element.startsWith('Z') && offsetSeconds === 0) return 'Z';
  const seconds = Math.abs(offsetSeconds);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map((part) =>
    pad(part, 2),
  );
  const separator = element.includes(':') ? ':' : '';
  const count = element.replace(/[^\d]/g, '').length / 2;
  return (offsetSeconds < 0 ? '-' : '+') + parts.slice(0, count).join(separator);
}
