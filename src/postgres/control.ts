/** Puts the parts together: one `PostgresControl` over one data directory. The work is in the files it imports. */
import { join } from 'node:path';
import { assert, type Clock, failure, type Log, MatriarchError, rethrowBug } from '../base/index.ts';
import { cloneFrom } from './clone.ts';
import { writeConfigFiles, writeSignals } from './config-files.ts';
import { controlReader, type ReadControl } from './control-file.ts';
import { claim, dataDirState, moveAside, removeContent } from './data-dir.ts';
import { isThere } from './files.ts';
import { runInitdb } from './initdb.ts';
import { findPlace, type Place } from './place.ts';
import { Postmaster } from './postmaster.ts';
import { promoteServer } from './promote.ts';
import { rewindTo } from './rewind.ts';
import { makeRoles, makeRouterRole } from './roles.ts';
import { type Ask, isAnswering, Session, type Target, withConnection } from './session.ts';
import { changeSlots, createLogicalSlot } from './slots.ts';
import { checkListen, startServer } from './startup.ts';
import { parseStatus, STATUS_SQL, withReplayed } from './status.ts';
import { parseSynchrony, SYNCHRONY_SQL } from './synchrony.ts';
import type { PostgresControl, PostgresOptions } from './types.ts';
import { askTimeline, replayedTimeline, slotKeeps } from './upstream.ts';

const HBA_PROBLEMS_SQL =
  "SELECT format('line %s: %s', line_number, error) AS problem FROM pg_hba_file_rules WHERE error IS NOT NULL";
const STATUS_MS = 1000;
const SQL_MS = 30_000;
const CHECKPOINT_MS = 10 * 60_000;
const START_MS = 60_000;
const ORPHANS_MS = 5000;

interface Parts {
  readonly place: Place;
  readonly postmaster: Postmaster;
  readonly readControl: ReadControl;
  /** The server itself, as superuser. */
  readonly target: Target;
  readonly clock: Clock;
  readonly log: Log;
  /** Clones and rewinds bring the other member's configuration, so none is known to be ours until it is written. */
  configIsOurs: boolean;
}

/** Checks the binaries and the user that PostgreSQL runs as; touches nothing else. Throws `postgres-binaries-missing`. */
export async function openPostgres(options: PostgresOptions): Promise<PostgresControl> {
  const { clock } = options;
  const log = options.log.child({ component: 'postgres' });
  const place = await findPlace(options);
  const postmaster = new Postmaster(place, clock, log);
  const target = {
    host: place.socketDir,
    port: place.settings.listen.port,
    role: place.settings.authentication.superuser,
    database: 'postgres',
  };
  const session = new Session(target, log);
  postmaster.onExit(() => session.drop('the server has ended'));
  const parts: Parts = {
    place,
    postmaster,
    readControl: controlReader(place),
    target,
    clock,
    log,
    configIsOurs: false,
  };
  return {
    dataDir: place.dataDir,
    ...overDirectory(parts),
    ...overServer(parts),
    ...overSql(parts, session),
    async close() {
      postmaster.close();
      session.drop('the control is closed');
    },
  };
}

type OverDirectory = Pick<
  PostgresControl,
  | 'inspect'
  | 'hasStandbySignal'
  | 'initdb'
  | 'claimDataDir'
  | 'writeConfig'
  | 'basebackup'
  | 'rewind'
  | 'removeDataDir'
  | 'quarantine'
>;

/** What is done to the files, mostly while the server is stopped. */
function overDirectory(parts: Parts): OverDirectory {
  const { place, postmaster, readControl, clock } = parts;
  return {
    async inspect() {
      const data = await dataDirState(place);
      const control = data.kind === 'initialized' ? await readControl() : undefined;
      return { data, postmaster: postmaster.observe(), control };
    },
    hasStandbySignal: async () => isThere(join(place.dataDir, 'standby.signal')),
    async initdb(work = {}) {
      parts.configIsOurs = false;
      await runInitdb(place, work);
    },
    claimDataDir: async () => claim(place),
    async writeConfig(desired) {
      const { kind } = await dataDirState(place);
      const control = kind === 'initialized' ? await readControl() : undefined;
      const written = await writeConfigFiles(place, desired, control);
      parts.configIsOurs = true;
      return written;
    },
    async basebackup(from, work = {}) {
      if (work.replaces === true) requireStopped(parts, 'replaced');
      parts.configIsOurs = false;
      await cloneFrom(parts, from, work);
    },
    async rewind(from, work = {}) {
      parts.configIsOurs = false;
      return rewindTo(parts, from, work);
    },
    async removeDataDir() {
      requireStopped(parts, 'removed');
      parts.configIsOurs = false;
      await removeContent(place);
    },
    async quarantine(because) {
      requireStopped(parts, 'moved aside');
      parts.configIsOurs = false;
      return moveAside(place, because, clock.wallNow());
    },
  };
}

type OverServer = Pick<PostgresControl, 'start' | 'stop' | 'reload' | 'promote' | 'onExit'>;

/** What is done to the process: all of it without a question in SQL, but for what a promotion watches. */
function overServer(parts: Parts): OverServer {
  const { place, postmaster } = parts;
  return {
    async start({ as, deadlineMs = START_MS }) {
      assert(parts.configIsOurs, 'writeConfig comes before start');
      const { kind } = await dataDirState(place);
      if (kind !== 'initialized') {
        throw new MatriarchError('postgres-data-dir', `${place.dataDir} cannot be started: it is ${kind}`);
      }
      if (postmaster.observe().kind === 'orphans') await postmaster.stop('immediate', ORPHANS_MS);
      requireStopped(parts, 'started');
      await checkListen(place);
      await writeSignals(place, as);
      return startServer({ ...parts, deadlineMs, args: [] });
    },
    stop: async ({ mode, deadlineMs }) => postmaster.stop(mode, deadlineMs),
    async reload() {
      postmaster.signal('SIGHUP');
    },
    promote: async (promotion) => promoteServer(parts, promotion),
    onExit: (callback) => postmaster.onExit(callback),
  };
}

type OverSql = Pick<
  PostgresControl,
  | 'status'
  | 'isAnswering'
  | 'hbaProblems'
  | 'synchrony'
  | 'checkpoint'
  | 'ensureSlots'
  | 'bootstrapSql'
  | 'setRouterCredential'
  | 'timelineHistory'
  | 'keepsWal'
>;

/** What is asked in SQL: the status on the kept connection, all else on one of its own. */
function overSql({ place, target, log }: Parts, session: Session): OverSql {
  const asSuperuser = async <T>(work: (ask: Ask) => Promise<T>, deadlineMs = SQL_MS): Promise<T> =>
    withConnection(target, deadlineMs, work);
  return {
    async status({ deadlineMs = STATUS_MS } = {}) {
      const rows = await session.ask(STATUS_SQL, [], deadlineMs);
      const status = parseStatus(rows[0]?.['status']);
      if (!status.inRecovery || status.replicationState === 'streaming') return status;
      try {
        return withReplayed(status, await replayedTimeline(target, deadlineMs));
      } catch (cause) {
        rethrowBug(cause);
        // Without it the standby may seem to be behind and not run for leader, which is safe.
        log.warn('replayed-timeline-unknown', failure(cause));
        return status;
      }
    },
    isAnswering: async ({ deadlineMs = STATUS_MS } = {}) => isAnswering(target, deadlineMs),
    async hbaProblems({ deadlineMs = STATUS_MS } = {}) {
      const rows = await session.ask(HBA_PROBLEMS_SQL, [], deadlineMs);
      return rows.map((row) => String(row['problem']));
    },
    async synchrony({ deadlineMs = STATUS_MS } = {}) {
      const rows = await session.ask(SYNCHRONY_SQL, [], deadlineMs);
      return parseSynchrony(rows[0]?.['synchrony']);
    },
    async checkpoint({ deadlineMs = CHECKPOINT_MS } = {}) {
      await asSuperuser((ask) => ask('CHECKPOINT'), deadlineMs);
    },
    async ensureSlots(changes) {
      const { created, dropped } = await asSuperuser((ask) => changeSlots(ask, changes));
      const made: string[] = [];
      for (const { name, database, plugin } of changes.logical ?? []) {
        const isMade = await withConnection({ ...target, database }, SQL_MS, (ask) =>
          createLogicalSlot(ask, name, plugin),
        );
        if (isMade) made.push(name);
      }
      return { created: [...created, ...made], dropped };
    },
    async bootstrapSql({ users }) {
      await asSuperuser((ask) => makeRoles(ask, place.settings, users));
    },
    async setRouterCredential(password) {
      await asSuperuser((ask) => makeRouterRole(ask, password));
    },
    async timelineHistory(from, { deadlineMs = 5000 } = {}) {
      return askTimeline(place.settings, from, deadlineMs);
    },
    keepsWal: async (from, { slot, lsn, deadlineMs = 5000 }) =>
      slotKeeps(place.settings, from, { slot, lsn, deadlineMs }),
  };
}

function requireStopped({ place, postmaster }: Parts, what: string): void {
  const { kind } = postmaster.observe();
  if (kind === 'stopped') return;
  throw new MatriarchError('postgres-data-dir', `${place.dataDir} is not ${what}: its server is ${kind}`);
}
