/** The admin console behind a plain server, with facts that a test makes: SCRAM, sockets and bytes are the real ones. */
import { randomBytes } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { AdminFacts, AdminOrder, OrderOutcome } from '../../src/admin/index.ts';
import { aRoute } from './admin-facts.ts';
import { AdminConnection } from '../../src/router/admin-client.ts';
import { ClientLogin } from '../../src/router/login.ts';
import { buildVerifier } from '../../src/wire/index.ts';
import { freshLoopback } from './loopback.ts';
import { recordingLog } from './recording-log.ts';

export const ADMIN_PASSWORD = 'secret of a test';

export interface AdminServer {
  readonly host: string;
  readonly port: number;
  /** Who is connected, by process id. */
  readonly connections: ReadonlyMap<number, AdminConnection>;
  /** SQLSTATEs of the refused. */
  readonly refused: readonly string[];
}

export interface AdminServerOptions {
  readonly facts: () => AdminFacts;
  readonly perform: (order: AdminOrder, done: (outcome: OrderOutcome) => void) => void;
}

/** `ops` may do everything, `monitoring` may look; both have the same password, as everybody else. */
export async function anAdminServer(
  t: TestContext,
  { facts, perform }: AdminServerOptions,
): Promise<AdminServer> {
  const connections = new Map<number, AdminConnection>();
  const refused: string[] = [];
  const verifier = buildVerifier(ADMIN_PASSWORD, randomBytes(16), 4096);
  const shared = {
    config: { admin_users: ['ops'], stats_users: ['monitoring'] },
    log: recordingLog().log,
    facts,
    routeOf: aRoute,
    actions: { perform },
    countError: (sqlstate: string) => void refused.push(sqlstate),
    forget: ({ processId }: { readonly processId: number }) => void connections.delete(processId),
  };
  const accept = (socket: Socket): void => {
    const login = new ClientLogin({
      serverNonce: randomBytes(18).toString('base64'),
      tls: 'none',
      reply: (bytes) => void socket.write(bytes),
    });
    const received = (chunk: Buffer): void => {
      let step = login.receive(chunk);
      if (step.kind === 'identified') {
        login.ask({ kind: 'scram', verifier, isMock: false });
        step = { kind: 'wait' };
      }
      if (step.kind !== 'authenticated') return;
      socket.off('data', received);
      const identity = { processId: connections.size + 1, secretKey: randomBytes(4) };
      const connection = new AdminConnection(
        shared,
        { socket, login: step.login, rest: step.rest },
        identity,
      );
      connections.set(identity.processId, connection);
      connection.start(step.rest);
    };
    socket.on('data', received);
    socket.on('error', () => socket.destroy());
  };
  const host = freshLoopback();
  const server = createServer({ noDelay: true }, accept);
  await new Promise<void>((resolve) => server.listen(5432, host, resolve));
  t.after(async () => {
    for (const connection of connections.values()) connection.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { host, port: 5432, connections, refused };
}
