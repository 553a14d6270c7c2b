/**
 * The catalogue of one database, read over a connection of the router's own: from the leader, where definitions change, and
 * while nothing was read yet from whoever answers. It is asked again and again whether it has changed, which costs the
 * server little, and read anew if so: when the poll's time comes, when a client of this router has changed definitions, and
 * when another router notifies that one of its clients has. A reading that fails leaves what was read before.
 */
import {
  background,
  type Clock,
  describe,
  failure,
  type Log,
  MatriarchError,
  withDeadline,
} from '../base/index.ts';
import { CatalogFacts, Resolvers } from '../sql/index.ts';
import {
  BEGIN_READING,
  CATALOG_QUERIES,
  END_READING,
  FINGERPRINT,
  readCatalog,
  type Row,
} from './catalog-queries.ts';
import type { CatalogNow } from './definitions.ts';
import { Query, readTextColumns } from '../wire/index.ts';
import type { OwnConnection } from './own-connection.ts';
import type { MemberToAsk } from './verifiers.ts';

export interface DatabaseCatalogOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Members to ask, the leader first. */
  readonly members: () => readonly MemberToAsk[];
  /** Rejects with `router-no-credential` if there is no role to log in as. */
  readonly open: (member: MemberToAsk, events: ConnectionEvents) => Promise<OwnConnection>;

  /** It may have been changed. */
  readonly forgetCredential: () => void;
}

export interface ConnectionEvents {
  readonly lost: () => void;
  readonly notified: () => void;
}

const READ_TIMEOUT_MS = 30_000;
const CHANNEL = 'matriarch_catalog';
const LISTEN = `LISTEN ${CHANNEL}`;
/** Nobody waits for it to be on disk. */
const NO_WAITING = 'SET synchronous_commit = off';
const NOTIFY = `SELECT pg_catalog.pg_notify('${CHANNEL}', '') WHERE NOT pg_catalog.pg_is_in_recovery()`;

interface Reading {
  readonly member: MemberToAsk;
  readonly connection: OwnConnection;
}

export class DatabaseCatalog implements CatalogNow {
  readonly database: string;
  /** Sessions that go by it. */
  sessions = 0;
  idleSince = 0;
  resolvers: Resolvers | undefined = undefined;
  readUpTo = 0;
  changes = 0;
  /** How often it was found changed. */
  generation = 0;
  /** When it was last known to be as it was read. */
  checkedAt: number | undefined = undefined;
  /** There is no role to read it as. */
  isOff = false;
  /** Why the last reading failed. */
  trouble: string | undefined = undefined;

  readonly #options: DatabaseCatalogOptions;
  #isNotifying = false;
  #isWanted = false;
  #running: Promise<void> | undefined = undefined;
  #reading: Reading | undefined = undefined;
  #fingerprint = '';
  #isClosed = false;

  constructor(database: string, options: DatabaseCatalogOptions) {
    this.database = database;
    this.#options = options;
  }

  changed(): number {
    this.changes += 1;
    this.#isNotifying = true;
    this.look();
    return this.changes;
  }

  doubted(): void {
    this.look();
  }

  /** Asks whether it has changed: now, or once more when it has been asked. */
  look(): void {
    this.#isWanted = true;
    if (this.#running !== undefined || this.#isClosed) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
    background(this.#options.log, 'reading a catalogue', this.#running);
  }

  /** Resolves when the first reading is over, well or not; undefined: there is nothing to wait for. */
  get firstReading(): Promise<void> | undefined {
    return this.resolvers === undefined && this.trouble === undefined && !this.isOff
      ? this.#running
      : undefined;
  }

  close(): void {
    this.#isClosed = true;
    this.#drop();
  }

  async #run(): Promise<void> {
    while (this.#isWanted && !this.#isClosed) {
      this.#isWanted = false;
      const upTo = this.changes;
      try {
        await withDeadline(this.#read(), READ_TIMEOUT_MS, 'reading a catalogue');
        this.readUpTo = upTo;
        this.#settled(undefined);
      } catch (cause) {
        this.#drop();
        this.#options.forgetCredential();
        this.#settled(cause);
        return;
      }
    }
  }

  #settled(cause: unknown): void {
    const { log } = this.#options;
    const { database } = this;
    this.isOff = cause instanceof MatriarchError && cause.code === 'router-no-credential';
    const trouble = cause === undefined ? undefined : describe(cause);
    if (trouble !== undefined && trouble !== this.trouble) {
      const event = this.isOff ? 'catalog-off' : 'catalog-unreadable';
      log.warn(event, { database, ...failure(cause) });
    }
    this.trouble = trouble;
  }

  async #read(): Promise<void> {
    const { clock, log } = this.#options;
    const { connection } = (this.#reading = await this.#connected());
    if (this.#isNotifying && this.#reading.member.isLeader) {
      this.#isNotifying = false;
      await rowsOf(connection, NOTIFY);
    }
    const startedAt = clock.now();
    const isSame = this.resolvers !== undefined && (await fingerprintOf(connection)) === this.#fingerprint;
    if (!isSame) {
      const [, fingerprint, ...answers] = await Promise.all([
        rowsOf(connection, BEGIN_READING),
        fingerprintOf(connection),
        ...CATALOG_QUERIES.map(async (sql) => await rowsOf(connection, sql)),
        rowsOf(connection, END_READING),
      ]);
      const facts = new CatalogFacts(readCatalog(answers));
      this.resolvers = new Resolvers(facts);
      this.#fingerprint = fingerprint;
      this.generation += 1;
      const tookMs = Math.round(clock.now() - startedAt);
      const { database, generation } = this;
      log.info('catalog-read', { database, generation, ...facts.counts, tookMs });
    }
    this.checkedAt = startedAt;
  }

  /** The connection that there is, if it is to whom it should be; else another. */
  async #connected(): Promise<Reading> {
    const members = this.#options.members();
    const now = this.#reading;
    const [first] = members;
    if (now !== undefined && now.member.name === first?.name && now.member.isLeader === first.isLeader)
      return now;
    this.#drop();
    const asked = this.resolvers === undefined ? members : members.filter(({ isLeader }) => isLeader);
    let cause: unknown = new MatriarchError(
      'router-no-server',
      'there is no leader to read the catalogue of',
    );
    for (const member of asked) {
      try {
        return await this.#open(member);
      } catch (failed) {
        cause = failed;
      }
    }
    throw cause;
  }

  async #open(member: MemberToAsk): Promise<Reading> {
    const connection = await this.#options.open(member, {
      lost: () => {
        if (this.#reading?.connection === connection) this.#reading = undefined;
      },
      notified: () => this.look(),
    });
    if (this.#isClosed) {
      connection.close();
      throw new MatriarchError('router-no-server', 'the catalogue is not wanted any more');
    }
    if (member.isLeader) await Promise.all([rowsOf(connection, NO_WAITING), rowsOf(connection, LISTEN)]);
    return { member, connection };
  }

  #drop(): void {
    const reading = this.#reading;
    this.#reading = undefined;
    reading?.connection.close();
  }
}

async function fingerprintOf(connection: OwnConnection): Promise<string> {
  const [row] = await rowsOf(connection, FINGERPRINT);
  return row?.[0] ?? '';
}

async function rowsOf(connection: OwnConnection, sql: string): Promise<readonly Row[]> {
  return (await connection.askAll(Query(sql))).map(readTextColumns);
}
