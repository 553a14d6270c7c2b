/**
 * Where our router's CPU time goes, by Linux's `perf`: samples of time on a core, so it is true under load, where V8's
 * own profiler is not. Each sample counts for the nearest JavaScript function that called for it, or for the system
 * call that the kernel was in.
 */
import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe } from '../src/base/index.ts';
import { type Load, measure } from './load.ts';
import { startMatriarch } from './matriarch.ts';
import type { PeerOptions } from './peers.ts';
import { runRecorder } from './recorder.ts';
import type { Stage } from './stage.ts';

const FUNCTIONS_SHOWN = 30;
/** Addresses of the kernel on 64-bit machines. */
const KERNEL = /^f{4,}/;
const WITHOUT_JAVASCRIPT: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/Heap::|Scaveng|Marking|Sweep|GarbageColl/, '(garbage collector)'],
  [/compiler::|Compil|Optimiz|interpreter::|maglev/i, '(compiler)'],
  [/uv_|node::|OnStreamRead|v8::Function::Call/, '(libuv and node, between the kernel and JavaScript)'],
];
/** Run before the recording, so that code is compiled. */
const WARM_WINDOW_MS = 1000;

/** Profiles one load; returns the printed page. */
export async function profileByPerf(stage: Stage, load: Load, options: PeerOptions): Promise<string> {
  const router = await startMatriarch(stage, { ...options, nodeOptions: ['--perf-basic-prof'] });
  const file = join(await stage.folder('perf'), 'perf.data');
  await measure(stage, router, { ...load, windowMs: WARM_WINDOW_MS });
  const recorder = runRecorder(router.pid, file);
  const measured = await measure(stage, router, load).finally(recorder.stop);
  await recorder.ended;
  const { samples, spent } = await attribute(file);
  await router.program.stop('SIGTERM');
  // What names the compiled functions; perf wants it at just this place.
  await rm(`/tmp/perf-${router.pid}.map`, { force: true });
  if (samples === 0) throw new Error('perf took no sample of the router');
  const cpu = measured.cpuMicrosPerTransaction ?? 0;
  const functions = [...spent].sort(([, a], [, b]) => b - a).slice(0, FUNCTIONS_SHOWN);
  return [
    `${load.protocol}, ${load.clients} clients: ${Math.round(measured.perSecond)} transactions/s, ${cpu.toFixed(1)} µs CPU each (perf included); ${samples} samples`,
    'CPU time in µs a transaction and as a share; natives count for the JavaScript that called them',
    ...functions.map(([what, count]) => {
      const share = count / samples;
      return `${(share * cpu).toFixed(2).padStart(7)}  ${(share * 100).toFixed(1).padStart(5)} %  ${what}`;
    }),
    '',
  ].join('\n');
}

interface Attributed {
  readonly samples: number;
  readonly spent: ReadonlyMap<string, number>;
}

/** `perf script` prints a stack a sample, innermost frame first, and an empty line after it. */
async function attribute(file: string): Promise<Attributed> {
  const child = spawn('perf', ['script', '-i', file, '-F', 'ip,sym'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const failed = new Promise<never>((_resolve, reject) => {
    child.once('error', (cause) => reject(new Error(`perf script: ${describe(cause)}`)));
  });
  return await Promise.race([failed, countSamples(createInterface(child.stdout))]);
}

async function countSamples(lines: AsyncIterable<string>): Promise<Attributed> {
  const spent = new Map<string, number>();
  let samples = 0;
  let stack: string[] = [];
  for await (const line of lines) {
    if (line.trim() !== '') {
      stack.push(line.trim());
      continue;
    }
    if (stack.length === 0) continue;
    const name = nameOf(stack);
    spent.set(name, (spent.get(name) ?? 0) + 1);
    samples += 1;
    stack = [];
  }
  return { samples, spent };
}

function nameOf(stack: readonly string[]): string {
  const frames = stack.map((line) => /^(\S+)\s+(.*)$/.exec(line)).filter((match) => match !== null);
  if (KERNEL.test(frames[0]?.[1] ?? '')) {
    const caller = frames.find(([, address]) => !KERNEL.test(address ?? ''))?.[2];
    return `kernel: ${(caller ?? 'interrupts').replace(/^__GI___libc_/, '')}`;
  }
  const own = frames.find(([, , symbol]) => symbol?.startsWith('JS:'))?.[2];
  // `JS:*name file:///…:line:column`, the sign being the compiler's tier.
  if (own !== undefined)
    return own.replace(/^JS:[*^~+]?/, '').replace(/(file:\/\/)?\/\S*\/(?=dist\/src\/|node_modules\/)/, '');
  const natives = frames.map(([, , symbol]) => symbol ?? '').join(' ');
  return WITHOUT_JAVASCRIPT.find(([pattern]) => pattern.test(natives))?.[1] ?? '(other native code)';
}
