/** Listens in on an encrypted connection: not what is said, but in records of which length. */
import { connect, createServer, type Socket } from 'node:net';
import { freshLoopback } from './loopback.ts';
import type { Scope } from './scratch.ts';

/** Of a record of TLS: type, version, length. */
const HEADER_BYTES = 5;
const LENGTH_AT = 3;
/** The answer to SSLRequest, in plain. */
const ANSWER_BYTES = 1;

/** Passes both ways until the test ends; `lengths` has each record that a server has sent to any client, in bytes. */
export async function aRecordTap(
  t: Scope,
  to: { readonly host: string; readonly port: number },
): Promise<{ readonly host: string; readonly lengths: readonly number[] }> {
  const lengths: number[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(to.port, to.host);
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => undefined);
      one.on('close', () => other.destroy());
      one.pipe(other);
    }
    let rest = Buffer.alloc(0);
    let skipped = 0;
    upstream.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      if (skipped < ANSWER_BYTES && rest.length >= ANSWER_BYTES) {
        skipped = ANSWER_BYTES;
        rest = rest.subarray(ANSWER_BYTES);
      }
      while (rest.length >= HEADER_BYTES) {
        const length = rest.readUInt16BE(LENGTH_AT);
        if (rest.length < HEADER_BYTES + length) break;
        lengths.push(length);
        rest = rest.subarray(HEADER_BYTES + length);
      }
    });
  });
  const host = freshLoopback();
  await new Promise<void>((resolve) => server.listen(5432, host, resolve));
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { host, lengths };
}
