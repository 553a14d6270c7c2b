/**
 * A client of the admin console as a machine: its messages in, bytes out, orders to the router in between. Simple and
 * extended protocol; PgBouncer speaks only the first. Manual: "Message Flow".
 *
 *   receive ─▶ queue ─▶ handle ─▶ answer ──────────────▶ bytes
 *                         │ order                          ▲
 *                         └──▶ perform … (nothing else is handled) … done
 *
 * Invariants: messages are answered in their order; while an order is carried out the client is not read from, so what
 * is queued is at most what one read brought; an order that nobody waits for any more is not undone.
 */
import { assert, RingQueue } from '../base/index.ts';
import {
  BindComplete,
  CloseComplete,
  CommandComplete,
  type Delivery,
  describeTag,
  EmptyQueryResponse,
  ErrorResponse,
  FRONTEND,
  FrameReader,
  type FrameSink,
  NoData,
  NoticeResponse,
  ParameterDescription,
  ParameterStatus,
  ParseComplete,
  PortalSuspended,
  ProtocolViolation,
  ReadyForQuery,
  RowDescription,
  readBind,
  readBindFormats,
  readClose,
  readDescribe,
  readExecute,
  readParse,
  readQuery,
  SQLSTATE,
  BackendKeyData,
} from '../wire/index.ts';
import type { AdminAccess } from './access.ts';
import { type Answer, answer, columnsOf } from './answer.ts';
import { type AdminCommand, parseCommands } from './command.ts';
import type { AdminFacts, RouteFacts, RouteQuestion } from './facts.ts';
import { type AdminFailure, FAILURE } from './failures.ts';
import type { AdminActions, OrderOutcome } from './orders.ts';
import { SessionParameters } from './parameters.ts';
import { type Portal, Portals } from './portals.ts';
import { type Column, describeColumns, rowBytes } from './table.ts';

export interface AdminSessionOptions {
  readonly user: string;
  readonly access: AdminAccess;
  readonly applicationName: string;
  readonly processId: number;
  readonly secretKey: Buffer;
  /** Asked for at each command that needs them. */
  readonly facts: () => AdminFacts;
  /** Where a statement would go. */
  readonly routeOf: (question: RouteQuestion) => RouteFacts;
  readonly actions: AdminActions;
  /** Bytes to the client. */
  readonly send: (bytes: Buffer) => void;
  /** Stop, or go on, reading from the client. */
  readonly backlog: (isFull: boolean) => void;
  /** The client has said goodbye. */
  readonly end: () => void;
}

/** Commands are short. */
const MESSAGE_BYTES_MAX = 64 * 1024;

type Settled = Exclude<Answer, { readonly kind: 'order' }>;

export class AdminSession implements FrameSink {
  readonly #options: AdminSessionOptions;
  readonly #frames = new FrameReader({ wholeBytesMax: MESSAGE_BYTES_MAX });
  readonly #parameters: SessionParameters;
  readonly #portals = new Portals();
  /** Messages that are not handled yet. */
  readonly #queue = new RingQueue<Buffer>();
  /** Commands of the running simple query that are not answered yet. */
  readonly #batch = new RingQueue<AdminCommand>();
  #isInQuery = false;
  /** After an error of the extended protocol, until Sync. */
  #isSkipping = false;
  #status: 'I' | 'T' = 'I';
  #waiting: { readonly settle: (settled: Settled) => void } | undefined = undefined;
  #isOver = false;

  constructor(options: AdminSessionOptions) {
    this.#options = options;
    const { user, applicationName } = options;
    this.#parameters = new SessionParameters({ user, applicationName, isAdmin: options.access === 'admin' });
  }

  /** Welcomes the client; AuthenticationOk has been sent. */
  start(): void {
    const { send, processId, secretKey } = this.#options;
    for (const { name, value } of this.#parameters.reported) send(ParameterStatus(name, value));
    send(BackendKeyData(processId, secretKey));
    send(ReadyForQuery('I'));
  }

  /** Bytes of the client; not kept. Throws `ProtocolViolation`. */
  receive(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#frames.push(chunk, this);
    this.#pump();
  }

  /** The client wants to wait no longer; what it has ordered stays ordered. */
  cancel(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#settle(waiting, { kind: 'failed', failure: FAILURE.canceled() });
  }

  /** The client is gone. */
  closed(): void {
    this.#isOver = true;
    this.#waiting = undefined;
    this.#queue.clear();
    this.#batch.clear();
  }

  delivery(): Delivery {
    return 'whole';
  }

  whole(_tag: number, message: Buffer): void {
    // Handled after the read: by then the chunk may have been overwritten, if an order is being waited for.
    this.#queue.push(Buffer.from(message));
  }

  pass(): void {
    assert(false, 'every message is wanted whole');
  }

  /** Handles what can be handled now. */
  #pump(): void {
    while (this.#waiting === undefined && !this.#isOver) {
      const command = this.#batch.shift();
      if (command !== undefined) this.#ask(command, (settled) => this.#answerSimple(settled));
      else if (this.#isInQuery) {
        this.#isInQuery = false;
        this.#ready();
      } else {
        const message = this.#queue.shift();
        if (message === undefined) return;
        this.#handle(message);
      }
    }
  }

  #handle(message: Buffer): void {
    const tag = message[0] ?? 0;
    const isSync = tag === FRONTEND.Sync || tag === FRONTEND.Terminate;
    if (this.#isSkipping && !isSync) return;
    switch (tag) {
      case FRONTEND.Query:
        return this.#query(readQuery(message));
      case FRONTEND.Parse:
        return this.#parse(message);
      case FRONTEND.Bind:
        return this.#bind(message);
      case FRONTEND.Describe:
        return this.#describe(message);
      case FRONTEND.Execute:
        return this.#execute(message);
      case FRONTEND.Close: {
        const { kind, name } = readClose(message);
        this.#portals.close(kind, name);
        return this.#options.send(CloseComplete());
      }
      case FRONTEND.Sync:
        this.#isSkipping = false;
        if (this.#status === 'I') this.#portals.transactionEnded();
        return this.#ready();
      case FRONTEND.FunctionCall:
        this.#error(FAILURE.functionCall());
        return this.#ready();
      case FRONTEND.Terminate:
        this.closed();
        return this.#options.end();
      // Everything is sent at the end of the event anyway; and as in PostgreSQL, a COPY that is over may trail.
      case FRONTEND.Flush:
      case FRONTEND.CopyData:
      case FRONTEND.CopyDone:
      case FRONTEND.CopyFail:
        return undefined;
    }
    throw new ProtocolViolation('bad-value', { message: describeTag(tag), field: 'message type', offset: 0 });
  }

  // ── simple protocol ─────────────────────────────────────────────────────────────────────────────────────────

  #query(text: string): void {
    this.#portals.dropUnnamed();
    this.#isInQuery = true;
    const parsed = parseCommands(text);
    if (parsed.outcome === 'invalid') this.#error(FAILURE.invalidCommand(parsed.text));
    else if (parsed.commands.length === 0) this.#options.send(EmptyQueryResponse());
    else for (const command of parsed.commands) this.#batch.push(command);
  }

  /** After an error the rest of the query is not run, as in PostgreSQL. */
  #answerSimple(settled: Settled): void {
    if (settled.kind === 'failed') {
      this.#batch.clear();
      this.#error(settled.failure);
    } else if (settled.kind === 'done') this.#done(settled);
    else {
      this.#options.send(RowDescription(describeColumns(settled.columns, [])));
      for (const row of settled.rows) this.#options.send(rowBytes(settled.columns, row, []));
      this.#options.send(CommandComplete(settled.tag));
    }
  }

  // ── extended protocol ───────────────────────────────────────────────────────────────────────────────────────

  #parse(message: Buffer): void {
    const { name, sql } = readParse(message);
    const parsed = parseCommands(sql);
    if (parsed.outcome === 'invalid') return this.#fail(FAILURE.invalidCommand(parsed.text));
    if (parsed.commands.length > 1) return this.#fail(FAILURE.severalCommands());
    const failure = this.#portals.prepare(name, { command: parsed.commands[0] });
    if (failure !== undefined) return this.#fail(failure);
    this.#options.send(ParseComplete());
  }

  #bind(message: Buffer): void {
    const { portal, statement } = readBind(message);
    const { parameters, resultFormats } = readBindFormats(message);
    const prepared = this.#portals.statement(statement);
    if (prepared === undefined) return this.#fail(FAILURE.noStatement(statement));
    if (parameters > 0) return this.#fail(FAILURE.parametersGiven(parameters, statement));
    const unknown = resultFormats.find((format) => format !== 0 && format !== 1);
    if (unknown !== undefined) return this.#fail(FAILURE.unknownFormat(unknown));
    const columns = this.#columns(prepared.command);
    if ('code' in columns) return this.#fail(columns);
    if (resultFormats.length > 1 && resultFormats.length !== columns.length) {
      return this.#fail(FAILURE.resultFormats(resultFormats.length, columns.length));
    }
    const failure = this.#portals.bind(portal, { ...prepared, formats: resultFormats, run: undefined });
    if (failure !== undefined) return this.#fail(failure);
    this.#options.send(BindComplete());
  }

  #describe(message: Buffer): void {
    const { kind, name } = readDescribe(message);
    const found = kind === 'statement' ? this.#portals.statement(name) : this.#portals.portal(name);
    if (found === undefined) {
      return this.#fail(kind === 'statement' ? FAILURE.noStatement(name) : FAILURE.noPortal(name));
    }
    const columns = this.#columns(found.command);
    if ('code' in columns) return this.#fail(columns);
    if (kind === 'statement') this.#options.send(ParameterDescription([]));
    const formats = kind === 'statement' ? [] : (this.#portals.portal(name)?.formats ?? []);
    this.#options.send(columns.length === 0 ? NoData() : RowDescription(describeColumns(columns, formats)));
  }

  #execute(message: Buffer): void {
    const { portal: name, maxRows } = readExecute(message);
    const portal = this.#portals.portal(name);
    if (portal === undefined) return this.#fail(FAILURE.noPortal(name));
    if (portal.command === undefined) return this.#options.send(EmptyQueryResponse());
    if (portal.run !== undefined) return this.#sendRows(portal, portal.run, maxRows);
    this.#ask(portal.command, (settled) => {
      if (settled.kind === 'failed') this.#fail(settled.failure);
      else if (settled.kind === 'done') {
        // An order is carried out once, however often its portal is executed.
        this.#portals.close('portal', name);
        this.#done(settled);
      } else {
        portal.run = { answer: settled, sent: 0 };
        this.#sendRows(portal, portal.run, maxRows);
      }
    });
  }

  /**
   * The next rows of a portal; `maxRows` 0 or less: all that are left. As in PostgreSQL, where the limit is reached with
   * the last row, the portal does not know yet that it is at its end.
   */
  #sendRows(portal: Portal, run: NonNullable<Portal['run']>, maxRows: number): void {
    const { columns, rows, tag } = run.answer;
    const end = maxRows > 0 ? Math.min(rows.length, run.sent + maxRows) : rows.length;
    for (const row of rows.slice(run.sent, end)) this.#options.send(rowBytes(columns, row, portal.formats));
    const isSuspended = maxRows > 0 && end - run.sent === maxRows;
    run.sent = end;
    this.#options.send(isSuspended ? PortalSuspended() : CommandComplete(tag));
  }

  #columns(command: AdminCommand | undefined): readonly Column[] | AdminFailure {
    return command === undefined ? [] : columnsOf(command, this.#context());
  }

  // ── both ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Answers a command, now or when the router has done what it orders; `settle` is called before anything else is handled. */
  #ask(command: AdminCommand, settle: (settled: Settled) => void): void {
    const found = this.#change(command) ?? answer(command, this.#context());
    if (found.kind !== 'order') return settle(found);
    const { order, tag, notice } = found;
    if (notice !== undefined) this.#notice(notice);
    const waiting = { settle };
    this.#waiting = waiting;
    let isLater = false;
    this.#options.actions.perform(order, (outcome) => {
      this.#settle(waiting, settledBy(outcome, tag), isLater);
    });
    isLater = true;
    if (this.#waiting === waiting) this.#options.backlog(true);
  }

  /** What a command changes in the session itself; the failure, if it cannot. */
  #change(command: AdminCommand): Answer | undefined {
    if (command.kind === 'harmless' && command.status !== undefined) {
      this.#status = command.status;
      if (command.status === 'I') this.#portals.transactionEnded();
    }
    if (command.kind !== 'deallocate') return undefined;
    const failure = this.#portals.deallocate(command.name);
    return failure === undefined ? undefined : { kind: 'failed', failure };
  }

  #settle(waiting: { readonly settle: (settled: Settled) => void }, settled: Settled, isLater = true): void {
    if (this.#waiting !== waiting) return;
    this.#waiting = undefined;
    if (isLater) this.#options.backlog(false);
    waiting.settle(settled);
    if (isLater) this.#pump();
  }

  #done({ tag, notice, tell }: Extract<Settled, { readonly kind: 'done' }>): void {
    if (notice !== undefined) this.#notice(notice);
    this.#options.send(CommandComplete(tag));
    if (tell !== undefined) this.#options.send(ParameterStatus(tell.name, tell.value));
  }

  #notice(fields: { readonly message: string; readonly detail?: string }): void {
    this.#options.send(
      NoticeResponse({ severity: 'NOTICE', code: SQLSTATE.successfulCompletion, ...fields }),
    );
  }

  /** An error of the extended protocol: nothing more is done until Sync. */
  #fail(failure: AdminFailure): void {
    this.#isSkipping = true;
    this.#error(failure);
  }

  #error(failure: AdminFailure): void {
    this.#options.send(ErrorResponse({ severity: 'ERROR', ...failure }));
  }

  #ready(): void {
    this.#options.send(ReadyForQuery(this.#status));
  }

  #context() {
    const { facts, routeOf, user, access } = this.#options;
    return { facts, routeOf, user, access, parameters: this.#parameters };
  }
}

function settledBy(outcome: OrderOutcome, tag: string): Settled {
  return outcome.kind === 'done' ? { kind: 'done', tag } : { kind: 'failed', failure: outcome.failure };
}
