/** The methods that a template may call: many of `time.Time`, and `String` of a month or a day of the week. */
import type { GoFunction } from './function.ts';
import { DAYS, MONTHS, TIME, Time } from './time.ts';
import { INT, INT64, intOf, SizedInt, STRING, stringOf, type Type, type Value } from './values.ts';

const MONTH: Type = { kind: 'int', name: 'time.Month', word: (value) => MONTHS[Number(value) - 1] ?? '' };
const WEEKDAY: Type = { kind: 'int', name: 'time.Weekday', word: (value) => DAYS[Number(value)] ?? '' };
const DURATION: Type = { kind: 'int', name: 'time.Duration' };

type Method<Receiver> = (receiver: Receiver) => GoFunction;

const answer =
  <Receiver>(pick: (receiver: Receiver) => Value): Method<Receiver> =>
  (receiver) => ({ params: [], call: () => pick(receiver) });
const part = (pick: (clock: ReturnType<Time['clock']>) => number): Method<Time> =>
  answer((time) => BigInt(pick(time.clock())));
const since = (nanoseconds: bigint): Method<Time> =>
  answer((time) => new SizedInt(INT64, floorOf(time.unixNano(), nanoseconds)));
const moved =
  (move: (time: Time, nanoseconds: bigint) => Time): Method<Time> =>
  (time) => ({ params: [DURATION], call: ([by]) => move(time, intOf(by)) });
const compared =
  (holds: (a: bigint, b: bigint) => boolean): Method<Time> =>
  (time) => ({
    params: [TIME],
    call: ([other]) => other instanceof Time && holds(time.unixNano(), other.unixNano()),
  });

const floorOf = (value: bigint, unit: bigint): bigint => (value - (((value % unit) + unit) % unit)) / unit;

const TIME_METHODS: Readonly<Record<string, Method<Time>>> = {
  Format: (time) => ({ params: [STRING], call: ([layout]) => time.format(stringOf(layout)) }),
  String: answer((time) => time.toString()),
  UTC: answer((time) => time.utc()),
  Unix: since(1_000_000_000n),
  UnixMilli: since(1_000_000n),
  UnixMicro: since(1_000n),
  UnixNano: since(1n),
  Year: part(({ year }) => year),
  Month: answer((time) => new SizedInt(MONTH, BigInt(time.clock().month))),
  Day: part(({ day }) => day),
  Weekday: answer((time) => new SizedInt(WEEKDAY, BigInt(time.clock().weekday))),
  YearDay: part(({ yearDay }) => yearDay),
  Hour: part(({ hour }) => hour),
  Minute: part(({ minute }) => minute),
  Second: part(({ second }) => second),
  Nanosecond: part(({ nanosecond }) => nanosecond),
  Add: moved((time, nanoseconds) => time.add(nanoseconds)),
  AddDate: (time) => ({
    params: [INT, INT, INT],
    call: ([years, months, days]) =>
      time.addDate(Number(intOf(years)), Number(intOf(months)), Number(intOf(days))),
  }),
  Truncate: moved((time, nanoseconds) => time.truncate(nanoseconds)),
  Before: compared((a, b) => a < b),
  After: compared((a, b) => a > b),
  Equal: compared((a, b) => a === b),
  IsZero: answer((time) => time.isZero()),
};

/** The method of that name, with its receiver bound. */
export function methodOf(receiver: Value, name: string): GoFunction | undefined {
  if (receiver instanceof Time) return TIME_METHODS[name]?.(receiver);
  const word = receiver instanceof SizedInt ? receiver.type.word : undefined;
  return word !== undefined && receiver instanceof SizedInt && name === 'String'
    ? answer<SizedInt>(({ value }) => word(value))(receiver)
    : undefined;
}
