/**
 * A TCP proxy in front of a server that counts the server's messages and kills the server process at a chosen one:
 * the client gets the messages up to it, and then nothing but the end of the connection.
 */
import { once } from 'node:events';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { FRAME_BYTES_MAX, FrameReader } from '../../src/wire/index.ts';
import { freshLoopback } from './loopback.ts';

export interface CuttingProxy {
  readonly host: string;
  readonly port: number;
  /** Open connections. */
  readonly size: number;
  /** Cuts the next connection that carries `mark` from its client, after so many messages behind it; once. */
  readonly cutAfter: (mark: string, messages: number) => void;
  /** Whether the cut was made, or messages ran out before. */
  readonly hasCut: () => boolean;
}

/** Listens until the test ends. */
export async function startCuttingProxy(
  scope: { readonly after: (end: () => Promise<void>) => void },
  to: { readonly host: string; readonly port: number },
): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  let plan: { readonly mark: string; readonly messages: number } | undefined;
  let hasCut = false;
  const server = createServer((client) => {
    const upstream = connectTcp(to);
    client.setNoDelay();
    upstream.setNoDelay();
    sockets.add(client);
    const end = (): void => {
      client.destroy();
      upstream.destroy();
      sockets.delete(client);
    };
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end);
    const frames = new FrameReader({ wholeBytesMax: FRAME_BYTES_MAX });
    let remaining: number | undefined;
    client.on('data', (chunk: Buffer) => {
      if (plan !== undefined && chunk.includes(plan.mark)) {
        remaining = plan.messages;
        plan = undefined;
      }
      if (remaining === 0) cut();
      else upstream.write(chunk);
    });
    const cut = (): void => {
      hasCut = true;
      // What was passed on arrives first.
      client.end();
      upstream.destroy();
    };
    upstream.on('data', (chunk: Buffer) => {
      if (hasCut && upstream.destroyed) return;
      frames.push(chunk, {
        delivery: () => 'whole',
        whole: (_tag, message) => {
          if (remaining === 0) return;
          client.write(Buffer.from(message));
          if (remaining === undefined) return;
          remaining -= 1;
          if (remaining === 0) cut();
        },
        pass: () => undefined,
      });
    });
  });
  const host = freshLoopback();
  const port = 5432;
  server.listen(port, host);
  await once(server, 'listening');
  scope.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return {
    host,
    port,
    get size() {
      return sockets.size;
    },
    cutAfter: (mark, messages) => {
      plan = { mark, messages };
      hasCut = false;
    },
    hasCut: () => hasCut,
  };
}
