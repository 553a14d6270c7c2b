/** Names as PostgreSQL keeps them: what is longer than 63 bytes is cut, between characters. Pure. */

const NAME_BYTES_MAX = 63;
const CONTINUATION = 0x80;

export function cutName(name: string): string {
  if (name.length * 3 <= NAME_BYTES_MAX || Buffer.byteLength(name) <= NAME_BYTES_MAX) return name;
  const bytes = Buffer.from(name);
  let end = NAME_BYTES_MAX;
  while (((bytes[end] ?? 0) & 0xc0) === CONTINUATION) end -= 1;
  return bytes.toString('utf8', 0, end);
}
