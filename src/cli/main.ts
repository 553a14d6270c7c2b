/**
 * The composition root: the only reader of argv, the environment and signals, and the only place where the
 * process ends. Everything else gets what it needs as arguments.
 */
import { CommanderError } from 'commander';
import { EXIT, MatriarchError, systemClock } from '../base/index.ts';
import { renderError } from './print-error.ts';
import { buildProgram } from './program.ts';
import { requestsBy } from './requests.ts';
import type { Shell } from './shell.ts';
import { predecessorOf, startSuccessor } from './take-over.ts';
import { confdArguments } from './template-settings.ts';

/** How often the timer fires that keeps the process alive while a command only waits for a signal. */
const ALIVE_MS = 60_000;

/** Runs one command to its end, and ends the process with its exit status. */
export async function main(argv: readonly string[]): Promise<void> {
  const alive = setInterval(() => undefined, ALIVE_MS);
  const exit = await run(argv);
  clearInterval(alive);
  process.exit(exit);
}

async function run(argv: readonly string[]): Promise<number> {
  let exit: number = EXIT.ok;
  const shell: Shell = {
    env: process.env,
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    isTerminal: process.stdout.isTTY,
    clock: systemClock,
    nodeVersion: process.versions.node,
    ...stopSignals(),
    hangUps: () => requestsBy('SIGHUP', process),
    takeOvers: () => requestsBy('SIGUSR2', process),
    startSuccessor: () => startSuccessor(process),
    predecessor: predecessorOf(process),
    setExit: (code) => {
      exit = code;
    },
  };
  dieOnBugs(argv, shell);
  // A reader that goes away (`matriarch status | head`) is no error.
  process.stdout.on('error', () => process.exit(exit));
  try {
    await buildProgram(shell).parseAsync([...confdArguments(argv)], { from: 'user' });
    return exit;
  } catch (cause) {
    if (cause instanceof CommanderError) return cause.exitCode === 0 ? EXIT.ok : EXIT.usage;
    return report(cause, argv, shell);
  }
}

function report(cause: unknown, argv: readonly string[], shell: Shell): number {
  const { text, exit } = renderError(cause, ['matriarch', ...argv].join(' '), argv.includes('--debug'));
  shell.err(text);
  return exit;
}

/** An error that nobody caught is a bug; going on in an unknown state is worse than ending. */
function dieOnBugs(argv: readonly string[], shell: Shell): void {
  const die = (cause: unknown): void => {
    report(cause, argv, shell);
    process.exit(EXIT.bug);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);
}

/** The first SIGTERM or SIGINT aborts `signal`; the second ends the process, unless work runs undisturbed. */
function stopSignals(): Pick<Shell, 'signal' | 'undisturbed'> {
  const stop = new AbortController();
  let protectedWork = 0;
  for (const [name, number] of SIGNALS) {
    process.on(name, () => {
      if (stop.signal.aborted && protectedWork === 0) process.exit(128 + number);
      stop.abort(new MatriarchError('interrupted', `stopped by ${name}`));
    });
  }
  const hangUp = (): void => stop.abort(new MatriarchError('interrupted', 'stopped by SIGHUP'));
  const undisturbed = async (work: () => Promise<void>): Promise<void> => {
    protectedWork += 1;
    // A closed terminal ends a process at once unless it listens.
    process.on('SIGHUP', hangUp);
    try {
      await work();
    } finally {
      protectedWork -= 1;
      process.off('SIGHUP', hangUp);
    }
  };
  return { signal: stop.signal, undisturbed };
}

const SIGNALS = [
  ['SIGTERM', 15],
  ['SIGINT', 2],
] as const;
