/** Speaks TLS with a router for a client that does not: what it sends in plain goes on encrypted, byte by byte. */
import { connect, createServer, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { SSLRequest } from '../../src/wire/index.ts';
import { freshLoopback } from './loopback.ts';
import type { Scope } from './scratch.ts';

interface Place {
  readonly host: string;
  readonly port: number;
}

/** Listens until the test ends. Either side's end is the other's. */
export async function aTlsTunnel(t: Scope, to: Place): Promise<Place> {
  const sockets = new Set<Socket>();
  const join = (one: Socket, other: Socket): void => {
    sockets.add(one);
    one.on('error', () => undefined);
    one.on('close', () => other.destroy());
    one.pipe(other);
  };
  const server = createServer((client) => {
    client.pause();
    const plain = connect(to, () => void plain.write(SSLRequest()));
    plain.on('error', () => client.destroy());
    plain.once('data', (answer) => {
      if (answer.toString('latin1') !== 'S') {
        client.destroy();
        return;
      }
      const encrypted = connectTls({ socket: plain, rejectUnauthorized: false });
      join(client, encrypted);
      join(encrypted, client);
    });
  });
  const host = freshLoopback();
  await new Promise<void>((resolve) => server.listen(5432, host, resolve));
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { host, port: 5432 };
}
