/**
 * Names of a time zone's times, out of its compiled file (TZif, RFC 8536): `EET` and `EEST` for Europe/Bucharest. Which
 * offset holds when is known without the file; what people there call it is known nowhere else.
 */

interface Kind {
  readonly offsetSeconds: number;
  readonly name: string;
}

export interface ZoneNames {
  /** What the time at that instant is called, with that offset; undefined where the file does not say. */
  readonly at: (epochSeconds: number, offsetSeconds: number) => string | undefined;
}

const MAGIC = 'TZif';
const HEADER_BYTES = 44;
/** A type is an offset in seconds, whether it is summer time, and where its name begins. */
const KIND_BYTES = 6;

/** Counts of a header, in the order of the file, and the bytes of the block behind it with times of that width. */
function readHeader(bytes: Buffer, at: number, timeBytes: number) {
  const count = (index: number): number => bytes.readUInt32BE(at + 20 + 4 * index);
  const [times, kinds, chars] = [count(3), count(4), count(5)];
  // Behind the names: leap seconds, and two flags of each type, for which nobody asks here.
  const length =
    times * (timeBytes + 1) + kinds * KIND_BYTES + chars + count(2) * (timeBytes + 4) + count(1) + count(0);
  return { times, kinds, chars, from: at + HEADER_BYTES, to: at + HEADER_BYTES + length };
}

/** Throws `RangeError` for a file that is cut short, `Error` for one that is none. */
export function readZoneFile(bytes: Buffer): ZoneNames {
  if (bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) throw new Error('it is no file of a time zone');
  const hasLong = bytes.readUInt8(4) >= 0x32;
  const short = readHeader(bytes, 0, 4);
  const block = hasLong ? readHeader(bytes, short.to, 8) : short;
  const timeBytes = hasLong ? 8 : 4;
  const kindsAt = block.from + block.times * (timeBytes + 1);
  const namesAt = kindsAt + block.kinds * KIND_BYTES;
  const names = bytes.toString('latin1', namesAt, namesAt + block.chars);
  const kinds = Array.from({ length: block.kinds }, (_, index): Kind => {
    const at = kindsAt + index * KIND_BYTES;
    const nameAt = bytes.readUInt8(at + 5);
    return { offsetSeconds: bytes.readInt32BE(at), name: names.slice(nameAt, names.indexOf('\0', nameAt)) };
  });
  const changes = Array.from({ length: block.times }, (_, index) => ({
    from: hasLong
      ? Number(bytes.readBigInt64BE(block.from + 8 * index))
      : bytes.readInt32BE(block.from + 4 * index),
    kind: kinds[bytes.readUInt8(block.from + timeBytes * block.times + index)],
  }));
  const later = hasLong ? kindsOfRule(bytes.toString('latin1', block.to).trim()) : [];
  return {
    at: (epochSeconds, offsetSeconds) => {
      const now = changes.findLast(({ from }) => from <= epochSeconds)?.kind ?? kinds[0];
      return [now, ...later].find((kind) => kind?.offsetSeconds === offsetSeconds)?.name;
    },
  };
}

/** `EET-2EEST,M3.5.0/3,M10.5.0/4`: what holds behind the last change that is listed. Offsets there are west of Greenwich. */
function kindsOfRule(rule: string): Kind[] {
  const winter = NAMED.exec(rule);
  if (winter === null) return [];
  const usual = kindOf(winter, 0);
  const summer = NAMED.exec(rule.slice(winter[0].length));
  // An hour ahead, unless said otherwise.
  return summer === null ? [usual] : [usual, kindOf(summer, usual.offsetSeconds + 3600)];
}

const NAMED = /^(?:<([^>]+)>|([A-Za-z]+))(?:([+-]?)(\d+)(?::(\d+))?(?::(\d+))?)?/;

function kindOf(named: RegExpExecArray, unsaidSeconds: number): Kind {
  const [, quoted, plain = '', sign, hours, minutes = '0', seconds = '0'] = named;
  const name = quoted ?? plain;
  if (hours === undefined) return { name, offsetSeconds: unsaidSeconds };
  const west = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
  return { name, offsetSeconds: sign === '-' ? west : -west };
}
