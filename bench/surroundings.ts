/** What the figures depend on: the machine, the versions, and how each peer was set up. Printed above them. */
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '../test/support/program.ts';
import type { BenchOptions } from './options.ts';
import { PGBOUNCER } from './pgbouncer.ts';
import { PGPOOL } from './pgpool.ts';
import type { Stage } from './stage.ts';

const VERSION_MS = 5000;

export async function surroundings(stage: Stage, options: BenchOptions): Promise<string> {
  const [postgres, pgbouncer, pgpool] = await Promise.all([
    versionOf(join(stage.machine.binDir, 'postgres')),
    versionOf(PGBOUNCER),
    versionOf(PGPOOL),
  ]);
  const cores = availableParallelism();
  const [load = 0] = loadavg();
  return [
    `${cores} cores (${cpus()[0]?.model ?? 'unknown'}), load ${load.toFixed(1)} before; ${postgres}; ${pgbouncer}; ${pgpool}; Node.js ${process.versions.node}`,
    `pgbench -S at scale ${options.scale}, SCRAM-SHA-256, transaction mode with ${options.poolSize} server connections a proxy; session mode with one a client for pgpool-II,`,
    'which has no other, and for prepared statements through PgBouncer before 1.21. pgpool-II reads the SQL, as matriarch does; PgBouncer does not.',
    `pgbench and PostgreSQL run on the same ${cores} cores: tx/s says how well all of them share these, CPU a transaction (of all processes of the`,
    'proxy) what the proxy costs. The latter is the figure that counts.',
    '',
  ].join('\n');
}

async function versionOf(program: string): Promise<string> {
  const { stdout, stderr } = await runProgram(program, ['--version'], { timeoutMs: VERSION_MS });
  return (stdout || stderr).split('\n')[0]?.trim() ?? '';
}
