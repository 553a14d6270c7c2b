/**
 * Where our router's time goes: runs it alone under V8's profiler for one load a protocol, and prints the functions
 * with the most self time. The files stay, for a browser's developer tools.
 */
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../test/support/sources.ts';
import { selfTimes } from './cpu-profile.ts';
import { type Load, measure } from './load.ts';
import { startMatriarch } from './matriarch.ts';
import type { PeerOptions } from './peers.ts';
import type { Stage } from './stage.ts';

const FUNCTIONS_SHOWN = 25;
/** A sample each; V8's default of 1 ms is too coarse for short loads. */
const INTERVAL_MICROS = 250;

/** Profiles one load; returns the printed page. */
export async function profile(stage: Stage, load: Load, options: PeerOptions): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'matriarch-profile-'));
  const router = await startMatriarch(stage, {
    ...options,
    nodeOptions: ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-interval=${INTERVAL_MICROS}`],
  });
  const measured = await measure(stage, router, load);
  await router.program.stop('SIGTERM');
  const [name] = await readdir(folder);
  if (name === undefined) throw new Error(`the router left no profile in ${folder}`);
  const file = join(folder, name);
  const { from, to } = measured.window;
  const functions = selfTimes(await readFile(file, 'utf8'), ROOT, { from, to });
  if (functions.length === 0) throw new Error(`${file} has no sample of the load`);
  const transactions = (measured.perSecond * (to - from)) / 1_000_000;
  const cpu = measured.cpuMicrosPerTransaction ?? 0;
  return [
    `${load.protocol}, ${load.clients} clients: ${Math.round(measured.perSecond)} transactions/s, ${cpu.toFixed(1)} µs CPU each (profiler included), ${(measured.kernelShare * 100).toFixed(0)} % of it in the kernel`,
    'self time on the wall, in µs a transaction and as a share; writeBuffer is mostly the kernel, reading and waiting are not in it',
    ...functions
      .slice(0, FUNCTIONS_SHOWN)
      .map(
        ({ what, micros, share }) =>
          `${(micros / transactions).toFixed(2).padStart(7)}  ${(share * 100).toFixed(1).padStart(5)} %  ${what}`,
      ),
    `profile: ${file}`,
    '',
  ].join('\n');
}
