/** The methods of `time.Time` that a template may call; no other value has any. */
import type { GoFunction } from './function.ts';
import { Time } from './time.ts';
import { INT64, SizedInt, STRING, stringOf, type Value } from './values.ts';

const constant = (answer: Value): GoFunction => ({ params: [], call: () => answer });
const part =
  (pick: (clock: ReturnType<Time['clock']>) => number) =>
  (time: Time): GoFunction =>
    constant(BigInt(pick(time.clock())));

const TIME_METHODS: Readonly<Record<string, (time: Time) => GoFunction>> = {
  Format: (time) => ({ params: [STRING], call: ([layout]) => time.format(stringOf(layout)) }),
  String: (time) => constant(time.toString()),
  UTC: (time) => constant(time.utc()),
  Unix: (time) => constant(new SizedInt(INT64, time.unix())),
  Year: part(({ year }) => year),
  Day: part(({ day }) => day),
  YearDay: part(({ yearDay }) => yearDay),
  Hour: part(({ hour }) => hour),
  Minute: part(({ minute }) => minute),
  Second: part(({ second }) => second),
  Nanosecond: part(({ nanosecond }) => nanosecond),
};

/** The method of that name, with its receiver bound. */
export function methodOf(receiver: Value, name: string): GoFunction | undefined {
  return receiver instanceof Time ? TIME_METHODS[name]?.(receiver) : undefined;
}
