/**
 * One load: pgbench -S through one peer, measured over a window of its middle, when every client is connected and warm.
 * pgbench logs each transaction with its time and its end; the window is between two readings of the peer's CPU time,
 * and what counts is what ended within it. The run is ended by SIGALRM, which is how pgbench ends itself.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pause } from '../src/base/index.ts';
import { parsePgbench } from '../src/lab/pgbench.ts';
import type { Peer } from './peers.ts';
import { cpuMicros, kernelShare, processTree, ticks } from './process-tree.ts';
import { APP, type Stage } from './stage.ts';

export const PROTOCOLS = ['simple', 'extended', 'prepared'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

export interface Load {
  readonly protocol: Protocol;
  readonly clients: number;
  readonly windowMs: number;
}

export interface Measured {
  /** Transactions of the whole run, beginning and end included. */
  readonly transactions: number;
  readonly perSecond: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
  /** Of all the proxy's processes; undefined where there is no proxy. */
  readonly cpuMicrosPerTransaction: number | undefined;
  /** The part of it that the kernel used, from 0 to 1. */
  readonly kernelShare: number;
}

/** One run, with its place in time for whoever looked on meanwhile: microseconds of the machine's monotonic clock. */
export interface MeasuredRun extends Measured {
  readonly window: { readonly from: number; readonly to: number };
}

/** Time from the first logged transaction to the window. */
const WARM_MS = 150;
const CONNECT_MS = 30_000;
/** Never reached: the run is ended from here. */
const LONGEST_SECONDS = 600;

/** Runs the load; throws when a transaction failed, or the peer's processes changed. */
export async function measure(stage: Stage, peer: Peer, load: Load): Promise<MeasuredRun> {
  const folder = await stage.folder('pgbench');
  const run = startPgbench(stage, peer, load, folder);
  try {
    await untilLogged(run, folder);
    await pause(WARM_MS);
    const pids = peer.pid === undefined ? [] : processTree(peer.pid);
    const before = {
      cpu: cpuMicros(pids),
      ticks: ticks(pids),
      at: epochMicros(),
      monotonic: monotonicMicros(),
    };
    await pause(load.windowMs);
    const after = {
      cpu: cpuMicros(pids),
      ticks: ticks(pids),
      at: epochMicros(),
      monotonic: monotonicMicros(),
    };
    run.child.kill('SIGALRM');
    const report = parsePgbench(await run.ended);
    if (report.failed !== 0) throw new Error(`${peer.name}: ${report.failed} failed transactions`);
    const log = await readLog(folder);
    if (log.length !== report.transactions)
      throw new Error(`${peer.name}: pgbench logged ${log.length} of ${report.transactions} transactions`);
    const within = log.filter(({ at }) => at > before.at && at <= after.at).map(({ micros }) => micros);
    if (within.length === 0) throw new Error(`${peer.name}: no transaction ended within the window`);
    within.sort((a, b) => a - b);
    return {
      transactions: report.transactions,
      perSecond: (within.length * 1_000_000) / (after.at - before.at),
      p50Micros: within[Math.floor(within.length * 0.5)] ?? 0,
      p99Micros: within[Math.floor(within.length * 0.99)] ?? 0,
      cpuMicrosPerTransaction: peer.pid === undefined ? undefined : (after.cpu - before.cpu) / within.length,
      kernelShare: kernelShare(before.ticks, after.ticks),
      window: { from: before.monotonic, to: after.monotonic },
    };
  } finally {
    run.child.kill('SIGKILL');
    await run.ended.catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  }
}

interface Run {
  readonly child: ChildProcess;
  /** The report; rejects with what pgbench said when it failed. */
  readonly ended: Promise<string>;
}

function startPgbench(stage: Stage, peer: Peer, load: Load, folder: string): Run {
  const { host, port } = peer.address;
  const { protocol, clients } = load;
  const threads = Math.min(clients, availableParallelism());
  const prefix = `--log-prefix=${join(folder, 'transactions')}`;
  const count = ['-c', String(clients), '-j', String(threads)];
  const where = [
    '-h',
    host,
    '-p',
    String(port),
    '-U',
    APP.user,
    peer.databaseFor?.[protocol] ?? APP.database,
  ];
  const child = spawn(
    join(stage.machine.binDir, 'pgbench'),
    ['-n', '-S', '-M', protocol, ...count, '-T', String(LONGEST_SECONDS), '-l', prefix, ...where],
    { env: { PGPASSWORD: APP.password, LC_ALL: 'C' }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const ended = new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(out);
      else reject(new Error(`pgbench -M ${protocol} -c ${clients} through ${peer.name}: ${err || code}`));
    });
  });
  // It is awaited later; until then a failure is nobody's.
  ended.catch(() => undefined);
  return { child, ended };
}

/** pgbench begins when all its clients are connected, and writes its log in blocks. */
async function untilLogged(run: Run, folder: string): Promise<void> {
  const deadline = performance.now() + CONNECT_MS;
  while ((await logBytes(folder)) === 0) {
    if (run.child.exitCode !== null) await run.ended;
    if (performance.now() > deadline) throw new Error(`pgbench logged nothing within ${CONNECT_MS} ms`);
    await pause(10);
  }
}

async function logBytes(folder: string): Promise<number> {
  const sizes = await Promise.all(
    (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

interface Logged {
  readonly micros: number;
  /** When it ended, in microseconds since 1970. */
  readonly at: number;
}

/** Lines of `client transaction micros script seconds micros`. */
async function readLog(folder: string): Promise<readonly Logged[]> {
  const texts = await Promise.all(
    (await readdir(folder)).map(async (name) => await readFile(join(folder, name), 'utf8')),
  );
  return texts.flatMap((text) =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [, , micros, , seconds, rest] = line.split(' ');
        return { micros: Number(micros), at: Number(seconds) * 1_000_000 + Number(rest) };
      }),
  );
}

/** By the clock that pgbench's log is written by. */
function epochMicros(): number {
  return Date.now() * 1000;
}

/** The same for all processes, unlike `performance.now()`. */
function monotonicMicros(): number {
  return Number(process.hrtime.bigint() / 1000n);
}
