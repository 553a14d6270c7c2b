/** A TCP proxy between a client and a server, so that a test can cut one path without touching either end. */
import { once } from 'node:events';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { freshLoopback } from './loopback.ts';

/**
 * `open`: passes both ways. `cut`: existing connections are reset, new ones closed at once. `deaf`: requests
 * arrive, answers are thrown away. `deaf-watch`: the same, but only on connections that carry a watch of etcd.
 * `slow`: answers come `SLOW_MS` late. `hold-cancels`: a CancelRequest is kept, whatever becomes of its connection, until `deliverCancels`.
 */
export type ProxyMode = 'open' | 'cut' | 'deaf' | 'deaf-watch' | 'slow' | 'hold-cancels';

export const SLOW_MS = 400;

export interface TcpProxy {
  readonly host: string;
  readonly port: number;
  readonly setMode: (mode: ProxyMode) => void;
  /** How many cancels are kept now. */
  readonly heldCancels: () => number;
  /** Passes on what was kept; resolves when the server has acted on all of it, which it shows by closing. */
  readonly deliverCancels: () => Promise<void>;
}

/** Second word of a CancelRequest; manual: "Message Formats". */
const CANCEL_CODE = 80_877_102;
const CANCEL_BYTES = 16;

interface HeldCancel {
  readonly bytes: Buffer;
  readonly upstream: Socket;
}

/** Listens until the test ends. */
export async function startProxy(
  scope: { readonly after: (end: () => Promise<void>) => void },
  to: { readonly host: string; readonly port: number },
): Promise<TcpProxy> {
  let mode: ProxyMode = 'open';
  const sockets = new Set<Socket>();
  let held: HeldCancel[] = [];
  const track = (socket: Socket, other: () => void): void => {
    sockets.add(socket);
    // A reset is what this proxy is for: the other side is ended, and that is all.
    socket.on('error', other);
    socket.on('close', () => {
      sockets.delete(socket);
      other();
    });
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (mode === 'cut') {
      client.destroy();
      return;
    }
    const upstream = connectTcp(to);
    let isHeld = false;
    track(client, () => {
      if (!isHeld) upstream.destroy();
    });
    track(upstream, () => client.destroy());
    let hasWatch = false;
    client.on('data', (chunk: Buffer) => {
      if (mode === 'hold-cancels' && isCancel(chunk)) {
        isHeld = true;
        held.push({ bytes: chunk, upstream });
        return;
      }
      hasWatch ||= chunk.includes('POST /v3/watch');
      upstream.write(chunk);
    });
    // A server that has not read a cancel yet does not close its side either.
    client.on('end', () => {
      if (!isHeld) client.end();
    });
    upstream.on('data', (chunk) => {
      if (mode === 'slow') setTimeout(() => client.write(chunk), SLOW_MS);
      else if (mode === 'open' || mode === 'hold-cancels' || (mode === 'deaf-watch' && !hasWatch))
        client.write(chunk);
    });
  });
  const host = freshLoopback();
  const port = 2379;
  server.listen(port, host);
  await once(server, 'listening');
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  scope.after(async () => {
    cut();
    server.close();
    await once(server, 'close');
  });
  return {
    host,
    port,
    setMode: (next) => {
      mode = next;
      if (next === 'cut') cut();
    },
    heldCancels: () => held.length,
    deliverCancels: async () => {
      const now = held;
      held = [];
      await Promise.all(
        now.map(async ({ bytes, upstream }) => {
          const acted = once(upstream, 'close');
          upstream.write(bytes);
          await acted;
        }),
      );
    },
  };
}

function isCancel(chunk: Buffer): boolean {
  return chunk.length === CANCEL_BYTES && chunk.readUInt32BE(4) === CANCEL_CODE;
}
