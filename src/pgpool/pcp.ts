/** Makes a running pgpool-II as its file says, by its PCP commands: `pgpool/follow` says what is next. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type Clock, describe, type Log, MatriarchError, pause } from '../base/index.ts';
import { type FollowStep, followStep, type PgpoolNode, pgpoolNodes, wantedNodes } from './follow.ts';

export interface FollowOptions {
  /** The file with the lines `# slot`. */
  readonly file: string;
  readonly pcp: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly passfile: string | undefined;
  };
  /** Run where only a restart helps; without it that is an error. */
  readonly restartCommand: string | undefined;
  readonly timeoutMs: number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Debian has the commands in /usr/sbin, which a user's PATH may lack. */
const PATH_OF_COMMANDS = '/usr/sbin:/usr/bin';
const PCP_TIMEOUT_MS = 10_000;
const AGAIN_MS = 100;
/** How long an order may take until it is carried out. */
const ORDER_MS = 8_000;
/** How long pgpool-II may look for the primary by itself. */
const LOOKS_MS = 3_000;

/** Resolves when pgpool-II is as the file says. Rejects with `pgpool-not-following`. */
export async function followPgpool(options: FollowOptions): Promise<void> {
  const { file, timeoutMs, clock } = options;
  const end = clock.now() + timeoutMs;
  const wanted = wantedNodes(await readFile(file, 'utf8'));
  if (wanted.length === 0) throw notFollowing(`${file} has no line "# slot …"`);
  await pcp(options, 'pcp_reload_config', []);
  let hasRestarted = false;
  let last: FollowStep = { do: 'nothing' };
  let lookingSince: number | undefined;
  while (clock.now() < end) {
    const step = followStep(wanted, await nodesOf(options));
    last = step;
    if (step.do === 'nothing') return;
    if (step.do === 'restart') {
      if (hasRestarted || options.restartCommand === undefined) throw notFollowing(step.because);
      hasRestarted = true;
      await restart(options, options.restartCommand);
    }
    lookingSince = step.do === 'stir' ? (lookingSince ?? clock.now()) : undefined;
    if (step.do === 'attach' || step.do === 'detach') await order(options, step.do, step.slot);
    else if (lookingSince !== undefined && step.do === 'stir' && clock.now() > lookingSince + LOOKS_MS) {
      await order(options, 'detach', step.slot);
      lookingSince = undefined;
    } else await pause(AGAIN_MS);
  }
  const doing = last.do === 'wait' ? last.because : `the last step was ${last.do}`;
  throw notFollowing(`not within ${timeoutMs} ms: ${doing}`);
}

/**
 * Resolves when it is so, or after a while. An order is taken at once and carried out later, and one that is still to come
 * must not be mistaken for one that was not heard.
 */
async function order(options: FollowOptions, what: 'attach' | 'detach', slot: number): Promise<void> {
  const { clock, log } = options;
  log.info(`pgpool-${what}`, { slot });
  await pcp(options, `pcp_${what}_node`, ['-n', String(slot)]);
  const end = clock.now() + ORDER_MS;
  while (clock.now() < end) {
    const nodes = await nodesOf(options);
    if (nodes[slot]?.isUp === (what === 'attach')) return;
    await pause(AGAIN_MS);
  }
}

async function nodesOf(options: FollowOptions): Promise<readonly PgpoolNode[]> {
  return pgpoolNodes(await pcp(options, 'pcp_node_info', ['-a']));
}

async function restart({ timeoutMs, log }: FollowOptions, command: string): Promise<void> {
  log.info('pgpool-restart', { command });
  try {
    await promisify(execFile)('/bin/sh', ['-c', command], { timeout: timeoutMs });
  } catch (cause) {
    throw notFollowing(describe(cause).trim());
  }
}

async function pcp(
  { pcp: { host, port, user, passfile }, environment }: FollowOptions,
  program: string,
  args: readonly string[],
): Promise<string> {
  const env = {
    ...environment,
    PATH: `${environment['PATH'] ?? ''}:${PATH_OF_COMMANDS}`,
    ...(passfile === undefined ? {} : { PCPPASSFILE: passfile }),
  };
  const all = ['-h', host, '-p', String(port), '-U', user, '-w', ...args];
  try {
    const { stdout } = await promisify(execFile)(program, all, { env, timeout: PCP_TIMEOUT_MS });
    return stdout;
  } catch (cause) {
    throw notFollowing(describe(cause).trim());
  }
}

function notFollowing(message: string): MatriarchError {
  return new MatriarchError('pgpool-not-following', message);
}
