/**
 * Addresses and ranges of them, for host rules. An IPv4 address that arrives inside of IPv6 (`::ffff:10.0.0.1`, from a
 * socket that takes both) is the IPv4 address: a rule for it must not be missed because of how the router listens.
 */

/** 4 or 16 bytes, and how many of their bits count. */
export interface Range {
  readonly bytes: readonly number[];
  readonly bits: number;
}

const V4_INSIDE_V6 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
/** One customer's worth of IPv6: whoever has an address has these 2^64. */
const V6_NETWORK_BYTES = 8;

/** The bytes of an address in text, 4 or 16; undefined for anything else. A zone (`%eth0`) is left out. */
export function parseIp(text: string): readonly number[] | undefined {
  const bytes = text.includes(':') ? parseV6(text.replace(/%.*$/, '')) : parseV4(text);
  if (bytes?.length !== 16) return bytes;
  return V4_INSIDE_V6.every((byte, index) => bytes[index] === byte) ? bytes.slice(12) : bytes;
}

/** `10.0.0.0/8`, or an address with a mask as PostgreSQL takes them. */
export function parseRange(address: string, mask?: string): Range | undefined {
  const [base = '', length, ...more] = address.split('/');
  const bytes = parseIp(base);
  if (bytes === undefined || more.length > 0 || (length !== undefined) === (mask !== undefined))
    return undefined;
  const bits = mask === undefined ? bitsOfLength(length ?? '') : bitsOfMask(parseIp(mask), bytes.length);
  return bits === undefined || bits > bytes.length * 8 ? undefined : { bytes, bits };
}

export function isInRange(address: readonly number[], range: Range): boolean {
  if (address.length !== range.bytes.length) return false;
  return address.every((byte, index) => {
    const counting = Math.max(0, Math.min(8, range.bits - index * 8));
    const mask = (0xff << (8 - counting)) & 0xff;
    return (byte & mask) === ((range.bytes[index] ?? 0) & mask);
  });
}

/** By what failures of an address are counted: the address, and the network of an IPv6 address. */
export function failureKey(address: string): string {
  const bytes = parseIp(address);
  if (bytes === undefined) return address;
  return (bytes.length === 4 ? bytes : bytes.slice(0, V6_NETWORK_BYTES)).join('.');
}

function parseV4(text: string): readonly number[] | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part))) return undefined;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

function parseV6(text: string): readonly number[] | undefined {
  const [head = '', tail, ...more] = text.split('::');
  if (more.length > 0) return undefined;
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  if (before === undefined || after === undefined) return undefined;
  const missing = 16 - before.length - after.length;
  if (tail === undefined ? missing !== 0 : missing < 2) return undefined;
  return [...before, ...Array.from({ length: missing }, () => 0), ...after];
}

/** Bytes of `a:b:c`, whose last part may be an IPv4 address. */
function groups(text: string): readonly number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const bytes: number[] = [];
  for (const [index, part] of parts.entries()) {
    const v4 = index === parts.length - 1 && part.includes('.') ? parseV4(part) : undefined;
    if (v4 !== undefined) bytes.push(...v4);
    else if (/^[0-9a-fA-F]{1,4}$/.test(part))
      bytes.push(Number.parseInt(part, 16) >> 8, Number.parseInt(part, 16) & 0xff);
    else return undefined;
  }
  return bytes;
}

function bitsOfLength(text: string): number | undefined {
  return /^\d{1,3}$/.test(text) ? Number(text) : undefined;
}

/** Ones, then zeros; undefined for a mask with gaps. */
function bitsOfMask(mask: readonly number[] | undefined, length: number): number | undefined {
  if (mask?.length !== length) return undefined;
  const digits = mask.map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return /^1*0*$/.test(digits) ? digits.replace(/0+$/, '').length : undefined;
}
