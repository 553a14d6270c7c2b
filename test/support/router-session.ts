/**
 * A session of the router with everything around it as values: a world that the test sets, servers that answer
 * as PostgreSQL would, a client whose answers are read back as text. No socket, no clock.
 */

import type { Link } from '../../src/router/link.ts';
import type { PreparedLimits } from '../../src/router/prepared.ts';
import type { HoldReason } from '../../src/router/route.ts';
import { Session } from '../../src/router/session.ts';
import type { PrimaryAnswer, Term, World } from '../../src/router/world.ts';
import { type Classifier, loadClassifier } from '../../src/sql/index.ts';
import {
  BACKEND,
  Bind,
  BindComplete,
  CloseComplete,
  CommandComplete,
  Describe,
  type ErrorFields,
  ErrorResponse,
  Execute,
  FRAME_BYTES_MAX,
  FRONTEND,
  FrameReader,
  NoData,
  Parse,
  ParseComplete,
  ReadyForQuery,
  readBind,
  readClose,
  readCommandComplete,
  readDescribe,
  readErrorFields,
  readParameterStatus,
  readParse,
  readQuery,
  readReadyForQuery,
  Sync,
  type TransactionStatus,
} from '../../src/wire/index.ts';

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
  #turn = 0;

  primary(): PrimaryAnswer {
    if (this.none !== undefined) return { kind: 'none', because: this.none };
    return { kind: 'primary', member: this.term.member, term: this.term };
  }

  leader(): string | undefined {
    return this.none === 'no-leader' ? undefined : this.term.member;
  }

  reader(exclude: ReadonlySet<string>): string | undefined {
    this.#turn += 1;
    const wanted = this.readers[this.#turn % this.readers.length];
    if (wanted !== undefined && !exclude.has(wanted)) return wanted;
    return this.members.find((name) => !exclude.has(name));
  }

  nearest(exclude: ReadonlySet<string>): string | undefined {
    return this.members.find((name) => !exclude.has(name));
  }

  isMember(name: string): boolean {
    return this.members.includes(name);
  }
}

/** A server as far as the session can tell: `SELECT 7` gives the row 7, `fail` an error, BEGIN and COMMIT what they do. */
export class TestServer {
  readonly name: string;
  readonly log: string[];
  status: TransactionStatus = 'I';
  /** Timeline of a primary; undefined: in recovery. */
  timeline: number | undefined;
  /** What it has answered and the session has not got. */
  out: Buffer = Buffer.alloc(0);
  isSilent = false;
  readonly #statements = new Map<string, string>();
  #portal = '';
  #isSkipping = false;
  readonly #reader = new FrameReader({ wholeBytesMax: FRAME_BYTES_MAX });

  constructor(name: string, log: string[], timeline: number | undefined) {
    this.name = name;
    this.log = log;
    this.timeline = timeline;
  }

  receive(bytes: Buffer): void {
    this.#reader.push(Buffer.from(bytes), {
      delivery: () => 'whole',
      whole: (tag, message) => this.#answer(tag, message),
      pass: () => undefined,
    });
  }

  #say(...messages: Buffer[]): void {
    if (!this.isSilent) this.out = Buffer.concat([this.out, ...messages]);
  }

  #answer(tag: number, message: Buffer): void {
    if (this.#isSkipping && tag !== FRONTEND.Sync) return;
    switch (tag) {
      case FRONTEND.Query: {
        const text = readQuery(message);
        this.log.push(`${this.name} < ${text.includes('pg_walfile_name') ? '(probe)' : text}`);
        this.#run(text, true);
        this.#say(ReadyForQuery(this.status));
        return;
      }
      case FRONTEND.Parse: {
        const { name, sql } = readParse(message);
        this.log.push(`${this.name} < Parse ${name}: ${sql}`);
        if (name !== '' && this.#statements.has(name)) return this.#fail('42P05');
        if (sql.includes('unparsable')) return this.#fail('42601');
        this.#statements.set(name, sql);
        return this.#say(ParseComplete());
      }
      case FRONTEND.Bind: {
        const text = this.#statements.get(readBind(message).statement);
        if (text === undefined) return this.#fail('26000');
        this.#portal = text;
        return this.#say(BindComplete());
      }
      case FRONTEND.Describe:
        if (readDescribe(message).kind === 'statement' && !this.#statements.has(readDescribe(message).name)) {
          return this.#fail('26000');
        }
        return this.#say(NoData());
      case FRONTEND.Execute:
        this.log.push(`${this.name} < Execute ${this.#portal}`);
        return this.#run(this.#portal, false);
      case FRONTEND.Close: {
        const { name } = readClose(message);
        this.log.push(`${this.name} < Close ${name}`);
        this.#statements.delete(name);
        return this.#say(CloseComplete());
      }
      case FRONTEND.Sync:
        this.#isSkipping = false;
        return this.#say(ReadyForQuery(this.status));
    }
  }

  #run(text: string, isSimple: boolean): void {
    if (text.includes('pg_walfile_name')) {
      const name = this.timeline?.toString(16).toUpperCase().padStart(8, '0');
      this.#say(
        aRow(name === undefined ? undefined : `${name}0000000000000001`),
        CommandComplete('SELECT 1'),
      );
      return;
    }
    const isEnd = /^(COMMIT|ROLLBACK)/.test(text);
    if (this.status === 'E' && !isEnd) return this.#fail('25P02', isSimple);
    if (text.includes('fail')) return this.#fail('22012', isSimple);
    if (text.includes('refused_by_standby') && this.timeline === undefined)
      return this.#fail('25006', isSimple);
    if (/^BEGIN(?!.*(COMMIT|ROLLBACK)$)/.test(text)) this.status = 'T';
    if (isEnd) {
      this.#say(CommandComplete(this.status === 'E' ? 'ROLLBACK' : text));
      this.status = text.endsWith('AND CHAIN') ? 'T' : 'I';
      return;
    }
    const number = /(\d+)\D*$/.exec(text)?.[1] ?? '';
    if (text.startsWith('SELECT')) this.#say(aRow(number), CommandComplete('SELECT 1'));
    else
      this.#say(
        CommandComplete(text.split(' ')[0] === 'INSERT' ? `INSERT 0 ${number}` : (text.split(' ')[0] ?? '')),
      );
  }

  #fail(code: string, isSimple = false): void {
    if (this.status === 'T') this.status = 'E';
    this.#isSkipping = !isSimple;
    this.#say(ErrorResponse({ severity: 'ERROR', code, message: 'as the test wants' }));
  }
}

/** A DataRow of one text column. */
export function aRow(value: string | undefined): Buffer {
  const bytes = value === undefined ? undefined : Buffer.from(value);
  const row = Buffer.alloc(11 + (bytes?.length ?? 0));
  row[0] = BACKEND.DataRow;
  row.writeInt32BE(row.length - 1, 1);
  row.writeInt16BE(1, 5);
  row.writeInt32BE(bytes?.length ?? -1, 7);
  if (bytes !== undefined) bytes.copy(row, 11);
  return row;
}

/** Everything a session did, line by line, and hands to make things happen. */
export class SessionStage {
  readonly world = new TestWorld();
  readonly log: string[] = [];
  /** Kind and reason of each statement. */
  readonly routed: string[] = [];
  readonly session: Session;
  readonly servers = new Map<Link, TestServer>();
  readonly opening: Link[] = [];
  now = 0;
  isEnded = false;
  hasRoomToHold = true;
  /** Timelines of primaries; all others are standbys. */
  timelines: Record<string, number> = { n1: 1 };
  readonly #fromRouter = new FrameReader({ wholeBytesMax: FRAME_BYTES_MAX });

  constructor(classifier: Classifier, preparedLimits?: PreparedLimits) {
    this.session = new Session({
      world: this.world,
      classifier,
      processId: 7,
      secretKey: Buffer.from([1, 2, 3, 4]),
      holdTimeoutMs: 30_000,
      retryReads: 3,
      ...(preparedLimits === undefined ? {} : { preparedLimits }),
      effects: {
        toClient: (bytes) => this.#heard(bytes),
        open: (link) => {
          this.opening.push(link);
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
        counted: (member, kind) => {
          this.log.push(`counted ${kind} at ${member}`);
        },
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
    const link = this.opening.shift();
    if (link === undefined) return false;
    const server = new TestServer(link.member, this.log, this.timelines[link.member]);
    this.servers.set(link, server);
    const wire = {
      write: (bytes: Buffer) => server.receive(bytes),
      close: () => {
        this.servers.delete(link);
      },
    };
    const parameters = new Map([
      ['server_version', '15.0'],
      ['in_hot_standby', 'on'],
    ]);
    this.session.opened(link, wire, parameters, this.now);
    return true;
  }

  /** Hands over up to `bytes` of what a server has answered; false: nothing was there. */
  deliver(link: Link, bytes = Number.MAX_SAFE_INTEGER): boolean {
    const server = this.servers.get(link);
    if (server === undefined || server.out.length === 0) return false;
    const chunk = server.out.subarray(0, bytes);
    server.out = server.out.subarray(chunk.length);
    this.session.receiveFromServer(link, chunk, this.now);
    return true;
  }

  server(name: string): TestServer {
    for (const server of this.servers.values()) if (server.name === name) return server;
    throw new Error(`no connection to ${name}`);
  }

  /** The connection to `name` breaks. */
  lose(name: string): this {
    for (const [link, server] of this.servers) {
      if (server.name !== name) continue;
      this.servers.delete(link);
      this.session.lost(link, 'connection-lost', this.now);
    }
    this.settle();
    return this;
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
