/** Puts the parts together: one `PostgresControl` over one data directory. The work is in the files it imports. */
import { assert, MatriarchError } from '../base/index.ts';
import { cloneFrom } from './clone.ts';
import { writeConfigFiles, writeSignals } from './config-files.ts';
import { readControl } from './control-file.ts';
import { dataDirState, moveAside, removeContent } from './data-dir.ts';
import { runInitdb } from './initdb.ts';
import { findPlace } from './place.ts';
import { Postmaster } from './postmaster.ts';
import { promoteServer } from './promote.ts';
import { rewindTo } from './rewind.ts';
import { makeRoles, makeRouterRole } from './roles.ts';
import { type Ask, Session, withConnection } from './session.ts';
import { changeSlots } from './slots.ts';
import { checkListen, startServer } from './startup.ts';
import { parseStatus, STATUS_SQL } from './status.ts';
import type { PostgresControl, PostgresOptions } from './types.ts';
import { askTimeline } from './upstream.ts';

const STATUS_MS = 1000;
const SQL_MS = 30_000;
const CHECKPOINT_MS = 10 * 60_000;
const START_MS = 60_000;
const ORPHANS_MS = 5000;

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
  const parts = { place, postmaster, target, clock, log };
  const asSuperuser = async <T>(work: (ask: Ask) => Promise<T>, deadlineMs = SQL_MS): Promise<T> =>
    withConnection(target, deadlineMs, work);
  // Clones and rewinds bring the other member's configuration, so none is known to be ours until it is written.
  let configIsOurs = false;
  postmaster.onExit(() => session.drop('the server has ended'));

  const requireStopped = (what: string): void => {
    const { kind } = postmaster.observe();
    if (kind === 'stopped') return;
    throw new MatriarchError('postgres-data-dir', `${place.dataDir} is not ${what}: its server is ${kind}`);
  };

  return {
    dataDir: place.dataDir,
    async inspect() {
      const data = await dataDirState(place);
      const control = data.kind === 'initialized' ? await readControl(place) : undefined;
      return { data, postmaster: postmaster.observe(), control };
    },
    async initdb(work = {}) {
      configIsOurs = false;
      await runInitdb(place, work);
    },
    async writeConfig(desired) {
      const { kind } = await dataDirState(place);
      const written = await writeConfigFiles(
        place,
        desired,
        kind === 'initialized' ? await readControl(place) : undefined,
      );
      configIsOurs = true;
      return written;
    },
    async start({ as, deadlineMs = START_MS }) {
      assert(configIsOurs, 'writeConfig comes before start');
      const { kind } = await dataDirState(place);
      if (kind !== 'initialized') {
        throw new MatriarchError('postgres-data-dir', `${place.dataDir} cannot be started: it is ${kind}`);
      }
      if (postmaster.observe().kind === 'orphans') await postmaster.stop('immediate', ORPHANS_MS);
      requireStopped('started');
      await checkListen(place);
      await writeSignals(place, as);
      return startServer({ ...parts, deadlineMs, args: [] });
    },
    async stop({ mode, deadlineMs }) {
      return postmaster.stop(mode, deadlineMs);
    },
    async reload() {
      postmaster.signal('SIGHUP');
    },
    async promote(promotion) {
      return promoteServer(parts, promotion);
    },
    async checkpoint({ deadlineMs = CHECKPOINT_MS } = {}) {
      await asSuperuser((ask) => ask('CHECKPOINT'), deadlineMs);
    },
    onExit: (callback) => postmaster.onExit(callback),
    async status({ deadlineMs = STATUS_MS } = {}) {
      const rows = await session.ask(STATUS_SQL, [], deadlineMs);
      return parseStatus(rows[0]?.['status']);
    },
    async ensureSlots(changes) {
      return asSuperuser((ask) => changeSlots(ask, changes));
    },
    async basebackup(from, work = {}) {
      configIsOurs = false;
      await cloneFrom(place, from, work);
    },
    async rewind(from, work = {}) {
      configIsOurs = false;
      return rewindTo(parts, from, work);
    },
    async removeDataDir() {
      requireStopped('removed');
      configIsOurs = false;
      await removeContent(place);
    },
    async quarantine(because) {
      requireStopped('moved aside');
      configIsOurs = false;
      return moveAside(place, because, clock.wallNow());
    },
    async timelineHistory(from, { deadlineMs = 5000 } = {}) {
      return askTimeline(place.settings, from, deadlineMs);
    },
    async bootstrapSql({ users }) {
      await asSuperuser((ask) => makeRoles(ask, place.settings, users));
    },
    async setRouterCredential(password) {
      await asSuperuser((ask) => makeRouterRole(ask, password));
    },
    async close() {
      postmaster.close();
      session.drop('the control is closed');
    },
  };
}
