/** Our router as a peer: the real command in a process of its own, the cluster from etcd. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { freshLoopback } from '../test/support/loopback.ts';
import { ROOT } from '../test/support/sources.ts';
import type { Peer, PeerOptions } from './peers.ts';
import { type Started, startProgram, untilReady } from './program.ts';
import { SCOPE, type Stage } from './stage.ts';

const nodesSchema = z.object({ nodes: z.array(z.object({ reads: z.number(), writes: z.number() })) });

/** A router that can be stopped before the end of the run. */
export interface MatriarchPeer extends Peer {
  readonly pid: number;
  readonly program: Started;
}

export async function startMatriarch(stage: Stage, options: PeerOptions): Promise<MatriarchPeer> {
  const folder = await stage.folder('matriarch');
  const host = freshLoopback();
  const file = join(folder, 'matriarch.yaml');
  await writeFile(file, configOf(stage, host, options));
  const command = [join(ROOT, 'bin', 'matriarch'), 'router', '--config', file];
  const program = await startProgram(stage, [process.execPath, ...(options.nodeOptions ?? []), ...command], {
    folder,
    asOwner: false,
  });
  await untilReady('matriarch', program, async () => {
    const answer = await fetch(`http://${host}:8009/readyz`);
    return answer.ok;
  });
  return {
    name: 'matriarch',
    address: { host, port: 5432 },
    pid: program.pid,
    program,
    served: async () => {
      const answer = await fetch(`http://${host}:8009/nodes`);
      const { nodes } = nodesSchema.parse(await answer.json());
      return nodes.reduce((sum, { reads, writes }) => sum + reads + writes, 0);
    },
  };
}

function configOf(stage: Stage, host: string, { poolSize, clientsMax }: PeerOptions): string {
  return [
    `scope: ${SCOPE}`,
    'name: bench',
    'datacenter: dc1',
    'log: { level: warn }',
    'etcd:',
    `  endpoints: [${stage.etcdUrls.map((url) => `"${url}"`).join(', ')}]`,
    'router:',
    `  listen: "${host}:5432"`,
    `  http_listen: "${host}:8009"`,
    `  max_client_conn: ${clientsMax}`,
    `  default_pool_size: ${poolSize}`,
    '',
  ].join('\n');
}
