/**
 * A time zone out of its compiled file (TZif, RFC 8536): which offset holds when, and what it is called there (`EET`, and
 * `EEST` in summer, for Europe/Bucharest). What neither Go nor JavaScript's Intl would say otherwise is said as Go says it.
 */
import type { Zone, ZoneTime } from './time.ts';

interface Kind extends ZoneTime {
  readonly isSummer: boolean;
}

interface Change {
  readonly fromSeconds: number;
  readonly kind: Kind;
}

const MAGIC = 'TZif';
const HEADER_BYTES = 44;
/** A type is an offset in seconds, whether it is summer time, and where its name begins. */
const KIND_BYTES = 6;

/** Throws `RangeError` for a file that is cut short, `Error` for one that is none. */
export function readZoneFile(bytes: Buffer): Zone {
  if (bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) throw new Error('it is no file of a time zone');
  const short = readHeader(bytes, 0, 4);
  if (bytes.readUInt8(MAGIC.length) < 0x32) return zoneOf(bytes, short, 4);
  return zoneOf(bytes, readHeader(bytes, short.to, 8), 8);
}

/** Counts of a header, and where the block behind it is, whose times have that width. */
interface Header {
  readonly times: number;
  readonly kinds: number;
  readonly chars: number;
  readonly from: number;
  readonly to: number;
}

function readHeader(bytes: Buffer, at: number, timeBytes: number): Header {
  const count = (index: number): number => bytes.readUInt32BE(at + 20 + 4 * index);
  const [times, kinds, chars] = [count(3), count(4), count(5)];
  // Behind the names: leap seconds, and two flags of each type, for which nobody asks here.
  const length =
    times * (timeBytes + 1) + kinds * KIND_BYTES + chars + count(2) * (timeBytes + 4) + count(1) + count(0);
  return { times, kinds, chars, from: at + HEADER_BYTES, to: at + HEADER_BYTES + length };
}

function zoneOf(bytes: Buffer, { times, kinds: count, chars, from, to }: Header, timeBytes: 4 | 8): Zone {
  const kindsAt = from + times * (timeBytes + 1);
  const namesAt = kindsAt + count * KIND_BYTES;
  const names = bytes.toString('latin1', namesAt, namesAt + chars);
  const kinds = Array.from({ length: count }, (_, index): Kind => {
    const at = kindsAt + index * KIND_BYTES;
    const nameAt = bytes.readUInt8(at + 5);
    return {
      offsetSeconds: bytes.readInt32BE(at),
      isSummer: bytes.readUInt8(at + 4) !== 0,
      name: names.slice(nameAt, names.indexOf('\0', nameAt)),
    };
  });
  const changes = Array.from({ length: times }, (_, index): Change => {
    const at = from + timeBytes * index;
    const kind = kinds[bytes.readUInt8(from + timeBytes * times + index)];
    if (kind === undefined) throw new RangeError('a change to a type that is not there');
    return { fromSeconds: timeBytes === 8 ? Number(bytes.readBigInt64BE(at)) : bytes.readInt32BE(at), kind };
  });
  const first = firstOf(kinds, changes);
  const last = changes.at(-1);
  const rule = timeBytes === 8 ? readRule(bytes.toString('latin1', to).trim()) : undefined;
  return (epochMs) => {
    const seconds = Math.floor(epochMs / 1000);
    if (rule !== undefined && last !== undefined && seconds >= last.fromSeconds) return rule(seconds);
    return changes.findLast(({ fromSeconds }) => fromSeconds <= seconds)?.kind ?? first;
  };
}

/** What holds before the first change: a type that no change leads to, else the first that is not summer time. */
function firstOf(kinds: readonly Kind[], changes: readonly Change[]): Kind {
  const [first] = kinds;
  if (first === undefined) throw new RangeError('a zone without a type');
  if (!changes.some(({ kind }) => kind === first)) return first;
  return kinds.find(({ isSummer }) => !isSummer) ?? first;
}

type Rule = (epochSeconds: number) => ZoneTime;
/** Where in a year something begins: seconds from its start, by the clocks of then. */
type Moment = (year: number) => number;

const DAY_SECONDS = 86_400;
const NAMED = /^(?:<([^>]+)>|([A-Za-z]+))([+-]?\d+(?::\d+){0,2})?/;
const DATED = /^,([JM]?)([\d.]+)(?:\/([+-]?\d+(?::\d+){0,2}))?/;
const USUAL_DATES = ',M3.2.0,M11.1.0';

/** `EET-2EEST,M3.5.0/3,M10.5.0/4`: what holds behind the last change that is listed. Offsets there are west of Greenwich. */
function readRule(text: string): Rule | undefined {
  const winter = NAMED.exec(text);
  if (winter === null) return undefined;
  const usual = timeOf(winter, 0);
  const rest = text.slice(winter[0].length);
  const summer = NAMED.exec(rest);
  if (summer === null) return () => usual;
  // An hour ahead, unless said otherwise.
  const other = timeOf(summer, usual.offsetSeconds + 3600);
  const dates = rest.slice(summer[0].length) || USUAL_DATES;
  const begins = DATED.exec(dates);
  const ends = begins === null ? null : DATED.exec(dates.slice(begins[0].length));
  if (begins === null || ends === null) return undefined;
  const [from, to] = [momentOf(begins), momentOf(ends)];
  return (epochSeconds) => {
    const year = new Date(epochSeconds * 1000).getUTCFullYear();
    const inYear = epochSeconds - Date.UTC(year, 0, 1) / 1000;
    const [start, end] = [from(year) - usual.offsetSeconds, to(year) - other.offsetSeconds];
    // South of the equator summer is at both ends of a year.
    const isBetween = inYear >= Math.min(start, end) && inYear < Math.max(start, end);
    return isBetween === start < end ? other : usual;
  };
}

function timeOf([, quoted, plain = '', west]: RegExpExecArray, unsaidSeconds: number): ZoneTime {
  return { name: quoted ?? plain, offsetSeconds: west === undefined ? unsaidSeconds : -secondsOf(west) };
}

/** `J60`, `59`, `M3.5.0`, with `/2:00` behind: the time of that day, 2 o'clock if not said. */
function momentOf([, form, date = '', time = '2']: RegExpExecArray): Moment {
  const seconds = secondsOf(time);
  const [first = 0, week = 1, weekday = 0] = date.split('.').map(Number);
  if (form === 'M') return (year) => dayOf(year, { month: first, week, weekday }) * DAY_SECONDS + seconds;
  // A J counts no 29th of February.
  const skipped = (year: number): number => (form !== 'J' ? 0 : first > 59 && isLeap(year) ? 0 : 1);
  return (year) => (first - skipped(year)) * DAY_SECONDS + seconds;
}

/** The so-manieth such day of the week in a month, the last for 5, as a day of the year from 0. */
function dayOf(
  year: number,
  { month, week, weekday }: { readonly month: number; readonly week: number; readonly weekday: number },
): number {
  const begin = new Date(Date.UTC(year, month - 1, 1));
  const length = new Date(Date.UTC(year, month, 0)).getUTCDate();
  let day = ((weekday - begin.getUTCDay() + 7) % 7) + (week - 1) * 7;
  if (day >= length) day -= 7;
  return (begin.getTime() - Date.UTC(year, 0, 1)) / (DAY_SECONDS * 1000) + day;
}

const isLeap = (year: number): boolean => new Date(Date.UTC(year, 1, 29)).getUTCMonth() === 1;

/** `-3`, `5:30`, `+05:30:00`. */
function secondsOf(text: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = text.replace(/^[+-]/, '').split(':').map(Number);
  return (text.startsWith('-') ? -1 : 1) * (hours * 3600 + minutes * 60 + seconds);
}
