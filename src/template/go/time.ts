/**
 * An instant seen from a zone, as `time.Now` gives it, and what it becomes when moved. Layouts are Go's: the reference
 * time `Mon Jan 2 15:04:05 MST 2006` written as wanted.
 */
import { Refusal } from './errors.ts';
import type { Type } from './values.ts';

export const TIME: Type = { kind: 'struct', name: 'time.Time' };

export const MONTHS = [
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
export const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const DAY_MS = 86_400_000;
const NANOS_OF_MS = 1_000_000n;
/** From the first of January of the year 1 to that of 1970. */
const YEAR_1_NANOS = 62_135_596_800n * 1_000n * NANOS_OF_MS;

/** What clocks of a zone show: ahead of UTC by so much, under that name. */
export interface ZoneTime {
  readonly offsetSeconds: number;
  readonly name: string;
}

/** At an instant: summer has another offset and another name. */
export type Zone = (epochMs: number) => ZoneTime;

export const UTC: Zone = () => ({ offsetSeconds: 0, name: 'UTC' });

export interface Instant {
  readonly epochMs: number;
  /** Beyond the milliseconds, 0 to 999,999. */
  readonly nanos: number;
  readonly zone: Zone;
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
    return new Time({ ...this.instant, zone: UTC });
  }

  unixNano(): bigint {
    return BigInt(this.instant.epochMs) * NANOS_OF_MS + BigInt(this.instant.nanos);
  }

  /** Later by so many nanoseconds. */
  add(nanoseconds: bigint): Time {
    return this.#atNano(this.unixNano() + nanoseconds);
  }

  /** The same time of the day so much later; a day that its month has not is as many days into the next. */
  addDate(years: number, months: number, days: number): Time {
    const { year, month, day, hour, minute, second } = this.clock();
    const { epochMs, zone } = this.instant;
    const milliseconds = ((epochMs % 1000) + 1000) % 1000;
    const shown = new Date(0);
    shown.setUTCFullYear(year + years, month - 1 + months, day + days);
    shown.setUTCHours(hour, minute, second, milliseconds);
    // What clocks show is not yet an instant: which offset holds is asked where the first guess leads.
    const shownMs = shown.getTime();
    const guess = shownMs - zone(shownMs).offsetSeconds * 1000;
    return this.#at(shownMs - zone(guess).offsetSeconds * 1000, this.instant.nanos);
  }

  /** Down to a multiple of so many nanoseconds since the year 1. */
  truncate(nanoseconds: bigint): Time {
    if (nanoseconds <= 0n) return this;
    const now = this.unixNano();
    return this.#atNano(now - ((now + YEAR_1_NANOS) % nanoseconds));
  }

  /** Whether it is the first instant of the year 1, Go's zero. */
  isZero(): boolean {
    return this.unixNano() === -YEAR_1_NANOS;
  }

  #atNano(unixNano: bigint): Time {
    const nanos = ((unixNano % NANOS_OF_MS) + NANOS_OF_MS) % NANOS_OF_MS;
    return this.#at(Number((unixNano - nanos) / NANOS_OF_MS), Number(nanos));
  }

  #at(epochMs: number, nanos: number): Time {
    if (Number.isNaN(new Date(epochMs).getTime())) throw new Refusal('time out of range');
    return new Time({ ...this.instant, epochMs, nanos });
  }

  /** Broken down in its zone; months from 1, days of the year from 1. */
  clock(): Clock {
    const { epochMs, nanos, zone } = this.instant;
    const local = new Date(epochMs + zone(epochMs).offsetSeconds * 1000);
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
    const { epochMs, zone } = this.instant;
    if (/^[Z-]07/.test(element)) return zoneOf(zone(epochMs).offsetSeconds, element);
    if (element === 'MST') return zone(epochMs).name;
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
