/** A TCP proxy between a client and a server, so that a test can cut one path without touching either end. */
import { once } from 'node:events';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { freshLoopback } from './loopback.ts';

/**
 * `open`: passes both ways. `cut`: existing connections are reset, new ones closed at once. `deaf`: requests
 * arrive, answers are thrown away. `deaf-watch`: the same, but only on connections that carry a watch of etcd.
 */
export type ProxyMode = 'open' | 'cut' | 'deaf' | 'deaf-watch';

export interface TcpProxy {
  readonly host: string;
  readonly port: number;
  readonly setMode: (mode: ProxyMode) => void;
}

/** Listens until the test ends. */
export async function startProxy(
  scope: { readonly after: (end: () => Promise<void>) => void },
  to: { readonly host: string; readonly port: number },
): Promise<TcpProxy> {
  let mode: ProxyMode = 'open';
  const sockets = new Set<Socket>();
  const track = (socket: Socket, other: () => void): void => {
    sockets.add(socket);
    // A reset is what this proxy is for: the other side is ended, and that is all.
    socket.on('error', other);
    socket.on('close', () => {
      sockets.delete(socket);
      other();
    });
  };
  const server = createServer((client) => {
    if (mode === 'cut') {
      client.destroy();
      return;
    }
    const upstream = connectTcp(to);
    track(client, () => upstream.destroy());
    track(upstream, () => client.destroy());
    let hasWatch = false;
    client.on('data', (chunk: Buffer) => {
      hasWatch ||= chunk.includes('POST /v3/watch');
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (mode === 'open' || (mode === 'deaf-watch' && !hasWatch)) client.write(chunk);
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
  };
}
