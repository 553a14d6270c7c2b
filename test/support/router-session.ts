/**
 * A session of the router with everything around it as values: a world that the test sets, servers that answer
 * as PostgreSQL would, a client whose answers are read back as text. No socket, no clock.
 */

import { Link } from '../../src/router/link.ts';
import type { PreparedLimits } from '../../src/router/prepared.ts';
import type { HoldReason, ReaderReason } from '../../src/router/route.ts';
import { ServerNames } from '../../src/router/server-names.ts';
import { Session } from '../../src/router/session.ts';
import { NO_SETTINGS, type Settings } from '../../src/router/settings.ts';
import { Tally } from '../../src/router/tally.ts';
import type { PrimaryAnswer, Term, World } from '../../src/router/world.ts';
import {
  type Level,
  PositionBook,
  RefusedReads,
  type Route,
  type Rule,
  Seen,
} from '../../src/routing/index.ts';
import { type Classification, type Classifier, loadClassifier } from '../../src/sql/index.ts';
import {
  BACKEND,
  Bind,
  Describe,
  type ErrorFields,
  Execute,
  FRAME_BYTES_MAX,
  FrameReader,
  Parse,
  readCommandComplete,
  readErrorFields,
  readParameterStatus,
  readReadyForQuery,
  Sync,
} from '../../src/wire/index.ts';
import { TestServer } from './test-server.ts';

/** A Parse. */
export const named = (name: string, sql: string) => Parse({ name, sql, parameterTypes: [] });
const bind = (statement: string) => Bind({ portal: '', statement });
/** A statement of the extended protocol, as a driver sends it. */
export const extended = (sql: string, name = '') => [
  named(name, sql),
  bind(name),
  Describe('portal', ''),
  Execute('', 0),
  Sync(),
];
/** A statement that is prepared already, once more. */
export const again = (name: string) => [bind(name), Execute('', 0), Sync()];

let loading: Promise<Classifier> | undefined;

/** One classifier for all tests of a file. */
export async function aClassifier(): Promise<Classifier> {
  loading ??= loadClassifier();
  return await loading;
}

/** A world whose answers the test sets. */
export class TestWorld implements World {
  term: Term = { member: 'n1', newestTimeline: 1 };
  none: HoldReason | undefined = undefined;
  members = ['n1', 'n2', 'n3'];
  /** Whom reads go to, in turn. */
  readers: readonly string[] = ['n2'];
  /** Who has no room, and who serves instead. */
  congested: ReadonlyMap<string, string> = new Map();
  readerBecause: ReaderReason = 'by-weight';
  #turn = 0;

  primary(): PrimaryAnswer {
    if (this.none !== undefined) return { kind: 'none', because: this.none };
    return { kind: 'primary', member: this.term.member, term: this.term };
  }

  leader(): string | undefined {
    return this.none === 'no-leader' ? undefined : this.term.member;
  }

  reader(exclude: ReadonlySet<string>, wish?: Route): string | undefined {
    const isMet = wish?.kind === 'node' && this.members.includes(wish.name) && !exclude.has(wish.name);
    this.readerBecause = isMet ? 'as-wished' : 'by-weight';
    if (isMet) return wish.name;
    this.#turn += 1;
    const wanted = this.readers[this.#turn % this.readers.length];
    if (wanted !== undefined && !exclude.has(wanted)) return wanted;
    return this.members.find((name) => !exclude.has(name));
  }

  relief(name: string): string | undefined {
    return this.congested.get(name);
  }

  readonly relieved = (): void => undefined;

  nearest(exclude: ReadonlySet<string>): string | undefined {
    return this.members.find((name) => !exclude.has(name));
  }

  isMember(name: string): boolean {
    return this.members.includes(name);
  }
}

interface StageOptions {
  readonly preparedLimits?: PreparedLimits;
  readonly isSessionMode?: boolean;
  readonly auditsCode?: boolean;
  readonly rules?: readonly Rule[];
  readonly firstStatementDecides?: boolean;
  readonly settings?: Settings;
  readonly isSerializable?: boolean;
  readonly consistency?: Level;
  /** What its database makes of a statement; nothing, if it is left out. */
  readonly resolve?: (found: Classification) => Classification;
}

/** Everything a session did, line by line, and hands to make things happen. */
export class SessionStage {
  readonly world = new TestWorld();
  readonly tally = new Tally();
  /** What is known of where servers are, and what others have written. */
  readonly book = new PositionBook();
  readonly written = new Seen();
  readonly log: string[] = [];
  /** Kind and reason of each statement. */
  readonly routed: string[] = [];
  /** Of a client that wants to know: what each unit needed and where it went, and why. */
  readonly decided: string[] = [];
  readonly refused = new RefusedReads();
  /** Why reads were run again that a standby had refused. */
  readonly rescued: string[] = [];
  readonly #serverNames = new ServerNames('m');
  readonly session: Session;
  readonly servers = new Map<Link, TestServer>();
  /** Members to which a connection is being opened. */
  readonly opening: string[] = [];
  /** Connections that nobody has. */
  readonly free: Link[] = [];
  now = 0;
  isEnded = false;
  hasRoomToHold = true;
  /** Whether a turn is over as soon as it is asked. */
  areTurnsShort = false;
  /** Turns that were asked for. */
  turnsDue = 0;
  /** Timelines of primaries; all others are standbys. */
  timelines: Record<string, number> = { n1: 1 };
  readonly #fromRouter = new FrameReader({ wholeBytesMax: FRAME_BYTES_MAX });

  constructor(classifier: Classifier, options: StageOptions = {}) {
    const { preparedLimits, isSessionMode = false, auditsCode = false } = options;
    const serverNames = this.#serverNames;
    const config = {
      hold_timeout: 30_000,
      retry_reads: 3,
      rules: options.rules ?? [],
      first_statement_decides: options.firstStatementDecides ?? false,
    };
    this.session = new Session({
      world: this.world,
      classifier,
      serverNames,
      tally: this.tally,
      routing: {
        user: 'app',
        database: 'app',
        rules: options.rules ?? [],
        firstStatementDecides: options.firstStatementDecides ?? false,
        consistency: options.consistency ?? 'eventual',
        maxStaleness: undefined,
        definitions: { resolve: options.resolve ?? ((found) => found), generation: 0 },
        definitionsChanged: () => serverNames.definitionsChanged(),
        refused: this.refused,
        rescued: (because) => {
          this.rescued.push(because);
        },
      },
      knowledge: {
        book: this.book,
        readWaitMs: 100,
        writtenBy: () => this.written,
      },
      settings: options.settings ?? NO_SETTINGS,
      isSerializable: options.isSerializable ?? false,
      applicationName: '',
      isSessionMode,
      auditsCode,
      welcome: (parameters) => parameters,
      processId: 7,
      secretKey: Buffer.from([1, 2, 3, 4]),
      config: () => config,
      ...(preparedLimits === undefined ? {} : { preparedLimits }),
      effects: {
        toClient: (bytes) => this.#heard(bytes),
        borrow: (member) => {
          const index = this.free.findIndex((link) => link.member === member);
          if (index >= 0) return this.free.splice(index, 1)[0];
          this.opening.push(member);
          return undefined;
        },
        isCongested: (member) => this.world.congested.has(member),
        stopWaiting: () => {
          this.opening.length = 0;
        },
        giveBack: (link) => {
          if (link.isSoiled) this.servers.delete(link);
          else this.free.push(link);
        },
        discard: (link) => {
          this.servers.delete(link);
        },
        awaitPositions: (members) => {
          this.log.push(`await ${[...new Set(members)].filter(Boolean).join(' ')}`);
        },
        judged: (outcome) => {
          this.log.push(`read ${outcome}`);
        },
        cancelAt: (link) => {
          this.log.push(`cancel at ${link.member}`);
        },
        endClient: () => {
          this.isEnded = true;
          this.log.push('client ended');
        },
        hold: (because) => {
          this.log.push(`hold ${because}`);
          return this.hasRoomToHold;
        },
        unhold: (outcome) => {
          this.log.push(`unhold ${outcome}`);
        },
        backlog: () => undefined,
        isTurnOver: () => this.areTurnsShort,
        nextTurn: () => {
          this.turnsDue += 1;
        },
        counted: (member, kind) => {
          this.log.push(`counted ${kind} at ${member}`);
        },
        decided: (member, unit) => {
          this.decided.push(`${unit.need} by ${unit.needBecause}, ${unit.placeBecause} at ${member}`);
        },
        served: () => undefined,
        routed: (kind, because) => {
          this.routed.push(`${kind} ${because}`);
        },
        serverLost: () => undefined,
        replied: () => undefined,
        note: () => undefined,
      },
    });
  }

  /** Past the login, with the log empty. */
  started(): this {
    this.session.start(this.now);
    this.settle();
    this.log.length = 0;
    return this;
  }

  /** The client sends; then everybody answers until nobody has anything to say. */
  send(...messages: Buffer[]): this {
    this.session.receive(Buffer.concat(messages), this.now);
    this.settle();
    return this;
  }

  /** The log since the last call. */
  take(): string[] {
    return this.log.splice(0);
  }

  settle(): void {
    while (this.#step()) if (this.log.length > 10_000) throw new Error('it does not come to rest');
  }

  /** Opens the next connection that is wanted; false: none is. */
  open(): boolean {
    const member = this.opening.shift();
    if (member === undefined) return false;
    const server = new TestServer(member, this.log, this.timelines[member]);
    const link = new Link({
      connectedAt: this.now,
      id: this.servers.size + 1,
      place: { address: member, port: 1, localAddress: '', localPort: 0, tls: '', processId: 0 },
      tally: this.tally,
      member,
      variant: '',
      wire: {
        write: (bytes: Buffer) => server.receive(bytes),
        isClogged: false,
        pauseReading: () => undefined,
        close: () => undefined,
      },
      // What the session lets go of goes to its effects.
      pool: { giveBack: () => undefined, remove: () => undefined },
      parameters: new Map([
        ['server_version', '15.0'],
        ['in_hot_standby', 'on'],
      ]),
      names: this.#serverNames,
      statementsMax: 200,
      brokeAlone: () => undefined,
    });
    this.servers.set(link, server);
    this.session.lent(link, this.now);
    return true;
  }

  /** Hands over up to `bytes` of what a server has answered; false: nothing was there. */
  deliver(link: Link, bytes = Number.MAX_SAFE_INTEGER): boolean {
    const server = this.servers.get(link);
    if (server === undefined || server.out.length === 0) return false;
    const chunk = server.out.subarray(0, bytes);
    server.out = server.out.subarray(chunk.length);
    link.receive(chunk, this.now);
    return true;
  }

  server(name: string): TestServer {
    for (const server of this.servers.values()) if (server.name === name) return server;
    throw new Error(`no connection to ${name}`);
  }

  /** The connections to `name` break. */
  lose(name: string): this {
    for (const [link, server] of this.servers) if (server.name === name) this.break(link);
    this.settle();
    return this;
  }

  /** The connection breaks, whoever has it. */
  break(link: Link): void {
    this.servers.delete(link);
    const index = this.free.indexOf(link);
    if (index >= 0) this.free.splice(index, 1);
    link.lost('connection-lost', this.now);
  }

  after(ms: number): this {
    this.now += ms;
    this.session.tick(this.now);
    this.settle();
    return this;
  }

  changeWorld(change: (world: TestWorld) => void): this {
    change(this.world);
    this.session.worldChanged(this.now);
    this.settle();
    return this;
  }

  #step(): boolean {
    if (this.open()) return true;
    for (const link of this.servers.keys()) if (this.deliver(link)) return true;
    return false;
  }

  #heard(bytes: Buffer): void {
    this.#fromRouter.push(Buffer.from(bytes), {
      delivery: () => 'whole',
      whole: (tag, message) => {
        this.log.push(`client > ${asText(tag, message)}`);
      },
      pass: () => undefined,
    });
  }
}

/** A message to the client in one short line. */
function asText(tag: number, message: Buffer): string {
  switch (tag) {
    case BACKEND.ReadyForQuery:
      return `Ready ${readReadyForQuery(message)}`;
    case BACKEND.CommandComplete:
      return readCommandComplete(message);
    case BACKEND.DataRow:
      return `row ${message.toString('utf8', 11)}`;
    case BACKEND.ErrorResponse:
      return errorText(readErrorFields(message));
    case BACKEND.ParameterStatus: {
      const { name, value } = readParameterStatus(message);
      return `${name}=${value}`;
    }
    default:
      return String.fromCharCode(tag);
  }
}

function errorText({ severity, code }: ErrorFields): string {
  return `${severity} ${code}`;
}
