/**
 * What idle clients cost: opens many authenticated ones through a proxy, keeps them, and reads the memory of the
 * proxy's processes before and after, and the latency of one active client alone and beside them.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { type Address, pause } from '../src/base/index.ts';
import { ServerLogin } from '../src/router/server-login.ts';
import { parseVerifier, type ScramCredential, StartupMessage } from '../src/wire/index.ts';
import { deriveKeys } from '../src/wire/scram-verifier.ts';
import { type Measured, measure } from './load.ts';
import type { Peer } from './peers.ts';
import { memoryBytes, processTree } from './process-tree.ts';
import { APP, type Stage } from './stage.ts';

export interface IdleResult {
  readonly clients: number;
  readonly openedInMs: number;
  readonly bytesPerClient: number;
  readonly bytesBefore: number;
  readonly alone: Measured;
  readonly beside: Measured;
}

/** Logins under way at once; more would wait in the listener's queue. */
const AT_ONCE = 100;
const LOGIN_MS = 30_000;
/** Clients of one source address, below the 28,232 ports that Linux gives by default. */
const PORTS_PER_ADDRESS = 20_000;
/** Given to the proxy's garbage collector after the logins. */
const SETTLE_MS_PER_CLIENT = 1;
const SETTLE_MS_MAX = 5000;

/** Opens `clients`, measures, and closes them. */
export async function measureIdle(
  stage: Stage,
  peer: Peer,
  { clients, windowMs }: { readonly clients: number; readonly windowMs: number },
): Promise<IdleResult> {
  if (peer.pid === undefined) throw new Error(`${peer.name} has no process to look at`);
  const active = { protocol: 'extended', clients: 1, windowMs } as const;
  // Once for nothing: code is compiled and pools are filled before memory is looked at.
  await measure(stage, peer, active);
  const alone = await measure(stage, peer, active);
  const bytesBefore = memoryBytes(processTree(peer.pid));
  const credential = credentialOf(stage.verifier);
  const startedAt = performance.now();
  const sockets: Socket[] = [];
  try {
    for (let next = 0; next < clients; next += AT_ONCE) {
      const count = Math.min(AT_ONCE, clients - next);
      const opened = Array.from({ length: count }, (_, index) => {
        const source = `127.0.${Math.floor((next + index) / PORTS_PER_ADDRESS) + 1}.1`;
        return logIn(peer.address, source, credential);
      });
      sockets.push(...(await Promise.all(opened)));
    }
    const openedInMs = performance.now() - startedAt;
    await pause(Math.min(clients * SETTLE_MS_PER_CLIENT, SETTLE_MS_MAX));
    const bytes = memoryBytes(processTree(peer.pid));
    const beside = await measure(stage, peer, active);
    const lost = sockets.filter((socket) => socket.closed).length;
    if (lost > 0) throw new Error(`${peer.name} closed ${lost} of ${clients} idle clients`);
    return {
      clients,
      openedInMs,
      bytesBefore,
      bytesPerClient: (bytes - bytesBefore) / clients,
      alone,
      beside,
    };
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

/** Derived once: a login of each client from its password would cost this process some milliseconds. */
function credentialOf(text: string): ScramCredential {
  const verifier = parseVerifier(text);
  if (verifier === undefined) throw new Error('the server keeps no SCRAM verifier of the application role');
  return { clientKey: deriveKeys(APP.password, verifier.salt, verifier.iterations).clientKey, verifier };
}

async function logIn(address: Address, source: string, credential: ScramCredential): Promise<Socket> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ ...address, localAddress: source, timeout: LOGIN_MS });
    const login = new ServerLogin({
      credential,
      user: APP.user,
      binding: 'none',
      isEncrypted: false,
      nonce: randomBytes(18).toString('base64'),
      reply: (bytes) => socket.write(bytes),
    });
    const received = (chunk: Buffer): void => {
      const outcome = login.receive(chunk);
      if (outcome.kind === 'going-on') return;
      socket.off('data', received).setTimeout(0).resume();
      if (outcome.kind === 'ready') resolve(socket);
      else reject(new Error(`refused: ${outcome.fields.message}`));
    };
    socket.once('connect', () => {
      socket.write(
        StartupMessage([
          ['user', APP.user],
          ['database', APP.database],
        ]),
      );
    });
    socket.on('data', received);
    socket.once('timeout', () => socket.destroy(new Error(`not logged in within ${LOGIN_MS} ms`)));
    socket.once('close', () => reject(new Error('closed during the login')));
    socket.on('error', reject);
  });
}
