/** The least that a proxy in Node.js can cost, as a peer: bytes handed on unseen, a server connection for each client. */
import { join } from 'node:path';
import { freshLoopback } from '../test/support/loopback.ts';
import { ROOT } from '../test/support/sources.ts';
import type { Peer } from './peers.ts';
import { authenticationOf } from './probe.ts';
import { startProgram, untilReady } from './program.ts';
import type { Stage } from './stage.ts';

export async function startPassThrough(stage: Stage): Promise<Peer> {
  const folder = await stage.folder('pass-through');
  const address = { host: freshLoopback(), port: 6432 };
  const { host, port } = stage.server;
  const script = join(ROOT, 'dist', 'bench', 'pass-through-server.js');
  const command = [process.execPath, script, address.host, String(address.port), host, String(port)];
  const program = await startProgram(stage, command, { folder, asOwner: false });
  await untilReady('pass-through', program, async () => (await authenticationOf(address)) !== '');
  return { name: 'pass-through', address, pid: program.pid, served: stage.servedByServer };
}
