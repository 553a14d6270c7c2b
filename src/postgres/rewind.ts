/**
 * pg_rewind, with what it needs before (a clean shutdown, a source that is a primary and has checkpointed its timeline)
 * and after (a standby's signal file). Every failure is an outcome, and every outcome leads on: the agent goes on with
 * the directory, or with a fresh clone.
 */
import { join } from 'node:path';
import { type Clock, describe, type Log, pause } from '../base/index.ts';
import { renderConnInfo } from './conf.ts';
import { writePassFile, writeSignals } from './config-files.ts';
import type { ReadControl } from './control-file.ts';
import { mark, unmark } from './data-dir.ts';
import { isThere, removeFile } from './files.ts';
import { hidesFork } from './needs-rewind.ts';
import type { Place } from './place.ts';
import type { Postmaster } from './postmaster.ts';
import { run } from './run.ts';
import { Session, type Target } from './session.ts';
import { startServer } from './startup.ts';
import type { LongWorkOptions, RewindResult, Upstream } from './types.ts';
import { askTimeline, awaitRewindSource } from './upstream.ts';

const DEADLINE_MS = 2 * 60 * 60_000;
const SOURCE_MS = 60_000;
const REPLAY_MS = 10 * 60_000;
const POLL_MS = 20;
const ANSWER_MS = 2000;

export interface RewindParts {
  readonly place: Place;
  readonly postmaster: Postmaster;
  /** The server itself, as superuser. */
  readonly target: Target;
  readonly readControl: ReadControl;
  readonly clock: Clock;
  readonly log: Log;
}

export async function rewindTo(
  parts: RewindParts,
  from: Upstream,
  options: LongWorkOptions,
): Promise<RewindResult> {
  const { place, readControl, clock, log } = parts;
  const startedAt = clock.now();
  let damaged = false;
  try {
    await shutDownCleanly(parts, options);
    const source = await awaitRewindSource(place.settings, from, { clock, deadlineMs: SOURCE_MS });
    const { systemId, checkpointTimeline } = await readControl();
    if (source.systemId !== systemId) return failed(`it is another cluster: ${source.systemId}`, damaged);
    const { history } = await askTimeline(place.settings, from, SOURCE_MS);
    if (hidesFork(checkpointTimeline, history))
      return failed('the history of its timeline does not say where the two parted', true);
    await writePassFile(place);
    if (options.signal?.aborted === true) return failed('was told to end', damaged);
    await mark(place, 'rewind');
    damaged = true;
    const result = await run(place, 'pg_rewind', rewindArgs(place, from), {
      deadlineMs: options.deadlineMs ?? DEADLINE_MS,
      signal: options.signal,
      // A statement_timeout of the role or database must not end the copy halfway.
      env: { PGOPTIONS: '-c statement_timeout=0' },
      onSpawn: (pid) => mark(place, 'rewind', pid),
    });
    if (!result.ok) return failed(result.because, damaged);
    const after = await awaitRewindSource(place.settings, from, { clock, deadlineMs: SOURCE_MS });
    if (after.timeline !== source.timeline)
      return failed('the source changed its timeline meanwhile', damaged);
    await writeSignals(place, 'standby');
    await unmark(place);
    // pg_rewind leaves a backup_label exactly when it has changed the directory.
    if (!(await isThere(join(place.dataDir, 'backup_label')))) return { outcome: 'not-needed' };
    return { outcome: 'done', tookMs: clock.now() - startedAt };
  } catch (cause) {
    log.warn('rewind-failed', { damaged, because: describe(cause) });
    return failed(describe(cause), damaged);
  }
}

/** pg_rewind refuses a directory that was not shut down; PostgreSQL's own crash recovery is what makes it so. */
async function shutDownCleanly(parts: RewindParts, options: LongWorkOptions): Promise<void> {
  const { place, postmaster, readControl } = parts;
  if (postmaster.observe().kind !== 'stopped')
    throw new Error('server processes still run in the data directory');
  const { state } = await readControl();
  if (state === 'shut down' || state === 'shut down in recovery') return;
  if (await isThere(join(place.dataDir, 'backup_label')))
    throw new Error('a copy that has never reached consistency');
  if (state === 'in archive recovery') await recoverStandby(parts, options);
  else await recoverPrimary(place, options);
  const after = (await readControl()).state;
  if (after !== 'shut down' && after !== 'shut down in recovery')
    throw new Error(`after crash recovery it is ${after}`);
}

async function recoverPrimary(place: Place, options: LongWorkOptions): Promise<void> {
  // Single-user mode knows no standby; the file is put back in any case.
  await removeFile(join(place.dataDir, 'standby.signal'));
  await removeFile(join(place.dataDir, 'recovery.signal'));
  try {
    // archive_mode on with a failing command: recovery keeps the segments that are not archived yet.
    const settings = ['-c', 'archive_mode=on', '-c', 'archive_command=false'];
    const args = ['--single', '-D', place.dataDir, ...settings, 'template1'];
    const result = await run(place, 'postgres', args, {
      deadlineMs: options.deadlineMs ?? DEADLINE_MS,
      signal: options.signal,
    });
    if (!result.ok) throw new Error(result.because);
  } finally {
    await writeSignals(place, 'standby');
  }
}

/**
 * A standby that was killed: it replays all that it has, reachable by nobody else, and is stopped in order. Were it stopped
 * as soon as it is consistent, what it had not replayed yet would be hidden from pg_rewind, which then finds nothing to do.
 */
async function recoverStandby(parts: RewindParts, options: LongWorkOptions): Promise<void> {
  const { place, postmaster, clock } = parts;
  await writeSignals(place, 'standby');
  const alone = ['listen_addresses=', 'primary_conninfo=', 'primary_slot_name=', 'restore_command='];
  const swiftly = ['recovery_min_apply_delay=0', 'wal_retrieve_retry_interval=1s'];
  const args = [...alone, ...swiftly].flatMap((setting) => ['-c', setting]);
  const deadlineMs = Math.min(options.deadlineMs ?? DEADLINE_MS, REPLAY_MS);
  const endsAt = clock.now() + deadlineMs;
  await startServer({ place, postmaster, clock, deadlineMs, args });
  try {
    await awaitEndOfWal(parts, endsAt, options.signal);
  } finally {
    await postmaster.stop('fast', 60_000);
  }
}

/** Its start-up process has no source left to read from. A question that fails is asked again. */
async function awaitEndOfWal(
  { postmaster, target, clock, log }: RewindParts,
  endsAt: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const session = new Session(target, log);
  try {
    while (!(await isAtEndOfWal(session))) {
      const { kind } = postmaster.observe();
      if (kind === 'stopped' || kind === 'orphans') throw new Error('it ended while it replayed its own WAL');
      if (signal?.aborted === true) throw new Error('was told to end');
      if (clock.now() > endsAt) throw new Error('it has not replayed its own WAL in time');
      await pause(POLL_MS);
    }
  } finally {
    session.drop('its own WAL is replayed');
  }
}

async function isAtEndOfWal(session: Session): Promise<boolean> {
  const waiting = `SELECT 1 FROM pg_stat_activity
    WHERE backend_type = 'startup' AND wait_event = 'RecoveryRetrieveRetryInterval'`;
  try {
    return (await session.ask(waiting, [], ANSWER_MS)).length > 0;
  } catch {
    return false;
  }
}

function rewindArgs(place: Place, from: Upstream): readonly string[] {
  const source = renderConnInfo({
    host: from.host,
    port: from.port,
    user: place.settings.authentication.rewind.username,
    passfile: place.passFile,
    dbname: 'postgres',
    sslmode: 'prefer',
    connect_timeout: 10,
  });
  return ['-D', place.dataDir, '--source-server', source, '--progress'];
}

function failed(because: string, damaged: boolean): RewindResult {
  return { outcome: 'failed', because, damaged };
}
