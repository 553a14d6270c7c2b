/**
 * One client's session: bytes and events in, effects out. No socket, no clock, no promise: each event carries the
 * monotonic time. A class with methods for events instead of `step(state, event)` with objects, because an object
 * a message is what the hot path must not cost; tests record the effects all the same.
 *
 *   client bytes -> Intake (which unit of work?) -> Placement (where, proven?) -> Link -> server
 *   server bytes -> Link (whose reply?) -> client
 *
 * Units run one after another: what comes while one runs waits in the inbox, since its place depends on how the
 * transaction stands afterwards. This file is what happens to a unit; intake.ts is how messages become one.
 */
import type { SettingStatement } from '../sql/index.ts';
import {
  BackendKeyData,
  type ErrorFields,
  ErrorResponse,
  NoticeResponse,
  ParameterStatus,
  ReadyForQuery,
  SQLSTATE,
  type TransactionStatus,
} from '../wire/index.ts';
import { Intake } from './intake.ts';
import { Limbo } from './limbo.ts';
import type { Link, LinkOwner, Wire } from './link.ts';
import { whenServerLost } from './lost.ts';
import { Patience } from './patience.ts';
import { Placement } from './placement.ts';
import { PreparedStatements } from './prepared.ts';
import { REPLY } from './replies.ts';
import type { HoldReason, LossReason } from './route.ts';
import type { OpenFailure, SessionEffects, SessionOptions } from './session-types.ts';
import { Unit } from './unit.ts';

/** Reported as `off` always: the session as a whole can write, whichever server answers. */
const HOT_STANDBY = 'in_hot_standby';
/** Notifications kept while another server's answer is on its way. */
const LATER_MAX = 1000;

export class Session implements LinkOwner {
  readonly unit = new Unit();
  readonly prepared: PreparedStatements;
  /** What the client was last told. */
  status: TransactionStatus = 'I';
  /** Set while the client is in a transaction whose server is gone. */
  limbo: Limbo | undefined = undefined;
  /** Everything up to the next Sync is skipped, as a server does after an error. */
  isSkipping = false;

  readonly #options: SessionOptions;
  readonly #effects: SessionEffects;
  readonly #placement: Placement;
  readonly #patience: Patience;
  readonly #intake: Intake;
  readonly #heard = new Map<string, string>();
  readonly #later: Buffer[] = [];
  /** Settings made in the open transaction; they count if it commits. */
  #transactionSettings: SettingStatement[] = [];
  #transactionHasSavepoint = false;
  /** The pinned connection is gone; the client has not been told. */
  #pinLost: LossReason | undefined = undefined;
  #now = 0;
  #isEnded = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#effects = options.effects;
    this.prepared = new PreparedStatements(options.classifier);
    this.#placement = new Placement(options.world, this, options.effects.open);
    this.#patience = new Patience(options.holdTimeoutMs);
    this.#intake = new Intake(this, options.classifier, options.effects);
  }

  /** The client is authenticated: opens its first server connection, whose parameters it is told. */
  start(now: number): void {
    this.#now = now;
    this.unit.begin('start');
    this.place();
  }

  /** Bytes from the client. Throws `ProtocolViolation` on a broken stream. */
  receive(chunk: Buffer, now: number): void {
    this.#now = now;
    if (!this.#isEnded) this.#intake.receive(chunk);
  }

  /** Bytes from a server. Throws `ProtocolViolation` on a broken stream: the shell then reports `lost`. */
  receiveFromServer(link: Link, chunk: Buffer, now: number): void {
    this.#now = now;
    link.receive(chunk);
  }

  opened(link: Link, wire: Wire, parameters: ReadonlyMap<string, string>, now: number): void {
    this.#now = now;
    if (this.#isEnded || this.#placement.links.get(link.member) !== link) {
      wire.close();
      return;
    }
    link.wire = wire;
    if (this.unit.kind === 'start') this.#welcome(parameters);
    else this.#placeAgain();
  }

  openFailed(link: Link, failure: OpenFailure, now: number): void {
    this.#now = now;
    this.#placement.drop(link);
    const { unit } = this;
    if (this.#isEnded || !this.#isPlacing || unit.member !== link.member) return;
    if (failure.kind === 'refused') this.#noteRefusal(link.member, failure.fields);
    const isForPrimary = unit.kind !== 'start' && (unit.need === 'primary' || this.#placement.isPinned);
    if (!isForPrimary) {
      unit.excluded.add(link.member);
      unit.member = undefined;
      const next = unit.kind === 'start' ? 'nearest' : 'reader';
      if (this.#options.world[next](unit.excluded) !== undefined) {
        this.place();
        return;
      }
      unit.excluded.clear();
    }
    if (unit.refusal !== undefined && !isTransient(unit.refusal.code)) this.#refuse(unit.refusal);
    else this.#hold(isForPrimary ? 'primary-unreachable' : 'no-server-reachable');
  }

  /** The connection to a server is gone. */
  lost(link: Link, because: LossReason, now: number): void {
    this.#now = now;
    this.#lose(link, because);
  }

  /** The view of the cluster has changed. */
  worldChanged(now: number): void {
    this.#now = now;
    const { world } = this.#options;
    const leader = world.leader();
    for (const link of [...this.#placement.links.values()]) {
      if (!world.isMember(link.member)) this.#lose(link, 'member-gone');
      else if (leader !== undefined && leader !== link.member && this.#writesOn(link)) {
        this.#lose(link, 'leader-changed');
      }
    }
    this.#placeAgain();
  }

  /** Time passes for a held session. */
  tick(now: number): void {
    this.#now = now;
    switch (this.#patience.due(now)) {
      case 'nothing':
        return;
      case 'retry':
        this.#placeAgain();
        return;
      case 'notice':
        if (this.unit.kind !== 'start') {
          this.#effects.toClient(NoticeResponse(REPLY.stillHeld(this.#patience.because)));
        }
        return;
      case 'give-up':
        this.#giveUp();
    }
  }

  /** The client asked to cancel: the link whose server is to be told, if one is at work. */
  cancel(now: number): Link | undefined {
    this.#now = now;
    if (this.unit.kind === 'none' || this.unit.kind === 'start') return undefined;
    if (this.unit.phase === 'sent') return this.unit.link;
    if (this.#patience.isHolding) this.fail(REPLY.canceled());
    return undefined;
  }

  /** The client is gone, or is to go: lets go of everything. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#endHold('ended');
    for (const link of [...this.#placement.links.values()]) this.#placement.drop(link);
  }

  /** Neither a unit nor a transaction is open. */
  get isIdle(): boolean {
    return this.unit.kind === 'none' && this.status === 'I';
  }

  get links(): Iterable<Link> {
    return this.#placement.links.values();
  }

  // ── a unit of work: placing, sending, finishing ──────────────────────────────────────────────────────────

  /** The server connection of the open transaction. */
  get transaction(): Link | undefined {
    return this.#placement.transaction;
  }

  /** Looks for the unit's server connection, and sends the unit if there is one. */
  place(): void {
    const { unit } = this;
    unit.phase = 'placing';
    if (this.#pinLost !== undefined) {
      const because = this.#pinLost;
      this.#pinLost = undefined;
      this.fail(REPLY.sessionLost(because));
      return;
    }
    const place = this.#placement.find(unit, this.#now);
    switch (place.kind) {
      case 'link':
        this.#send(place.link);
        return;
      case 'wait':
        return;
      case 'hold':
        unit.excluded.clear();
        this.#hold(place.because);
        return;
      case 'lost':
        this.#lose(place.link, 'leader-changed');
    }
  }

  /** Answers the unit with an error of the router's own, and ends it (at its Sync, if that is still to come). */
  fail(fields: ErrorFields): void {
    this.say(fields);
    this.conclude();
  }

  /** Sends an error of the router's own. */
  say(fields: ErrorFields): void {
    this.#tellPreamble();
    this.#effects.replied(fields.code);
    this.#effects.toClient(ErrorResponse(fields));
  }

  /** Ends a unit without the help of a server. */
  conclude(): void {
    const { unit } = this;
    this.#endHold('gave-up');
    this.prepared.takeBack();
    if (unit.isClosed) this.#effects.toClient(ReadyForQuery(this.status));
    else this.isSkipping = true;
    unit.end();
    this.#intake.resume();
  }

  #send(link: Link): void {
    const { unit } = this;
    this.#endHold('went-on');
    unit.phase = 'sent';
    unit.link = link;
    link.hasResult = false;
    if (unit.kind !== 'start') this.#count(link);
    this.#intake.send(link);
  }

  #count(link: Link): void {
    const need = this.transaction === undefined ? this.unit.need : this.#placement.transactionNeed;
    if (need !== 'anywhere') this.#effects.counted(link.member, need === 'primary' ? 'write' : 'read');
  }

  #finish(link: Link): void {
    const { unit } = this;
    const wasInTransaction = this.transaction !== undefined;
    this.status = link.status;
    if (link.status === 'I') this.#placement.transaction = undefined;
    else if (!wasInTransaction) {
      this.#placement.transaction = link;
      this.#placement.transactionNeed = unit.need;
      this.#transactionSettings = [];
      this.#transactionHasSavepoint = false;
    }
    if (unit.mayPin && unit.executes) this.#placement.isPinned = true;
    this.#keepSettings(link, wasInTransaction);
    unit.end();
    if (this.#later.length > 0) for (const message of this.#later.splice(0)) this.#effects.toClient(message);
    this.#intake.resume();
  }

  #keepSettings(link: Link, wasInTransaction: boolean): void {
    const { unit } = this;
    if (wasInTransaction || link.status !== 'I') {
      if (unit.hasSavepoint) this.#transactionHasSavepoint = true;
      if (unit.settings.length > 0 && !unit.isFailed) this.#transactionSettings.push(...unit.settings);
      if (link.status !== 'I') return;
      const settings = this.#transactionSettings;
      this.#transactionSettings = [];
      if (unit.isFailed || unit.ends !== 'commit' || settings.length === 0) return;
      // A ROLLBACK TO SAVEPOINT may have taken some back: then the session is not carried to other servers.
      if (this.#transactionHasSavepoint) this.#placement.isPinned = true;
      else this.#record(settings, link);
      return;
    }
    if (unit.settings.length > 0 && !unit.isFailed) this.#record(unit.settings, link);
  }

  #record(settings: readonly SettingStatement[], link: Link): void {
    for (const statement of settings) {
      if (!this.#placement.settings.record(statement)) this.#placement.isPinned = true;
      if (statement.clears === 'everything') {
        this.prepared.forgetAll();
        for (const other of this.#placement.links.values()) other.prepared.clear();
        this.#placement.isPinned = false;
      }
    }
    link.settingsVersion = this.#placement.settings.version;
  }

  // ── waiting ──────────────────────────────────────────────────────────────────────────────────────────────

  get #isPlacing(): boolean {
    return this.unit.kind !== 'none' && this.unit.phase === 'placing';
  }

  #placeAgain(): void {
    if (this.#isPlacing) this.place();
  }

  #hold(because: HoldReason): void {
    if (!this.#patience.hold(because, this.#now)) return;
    if (this.#effects.hold(because)) return;
    this.#patience.end();
    this.#refuse(REPLY.holdFull(because));
  }

  #endHold(outcome: 'went-on' | 'gave-up' | 'ended'): void {
    if (!this.#patience.isHolding) return;
    this.#patience.end();
    this.#effects.unhold(outcome);
  }

  #giveUp(): void {
    const waited = this.#patience.waitedMs(this.#now);
    const { because } = this.#patience;
    const link = this.transaction;
    if (this.unit.kind === 'start') this.#refuse(REPLY.noServer(because, waited));
    else if (link !== undefined) this.#lose(link, 'held-too-long');
    else this.fail(REPLY.heldTooLong(because, waited));
  }

  /** An error that ends the unit; during the start it ends the connection. */
  #refuse(fields: ErrorFields): void {
    if (this.unit.kind !== 'start') {
      this.fail(REPLY.refusedByServer(fields));
      return;
    }
    this.say({ ...fields, severity: 'FATAL' });
    this.end();
    this.#effects.endClient();
  }

  /** What the leader says counts more than what a standby says: it may not know the role or database yet. */
  #noteRefusal(member: string, fields: ErrorFields): void {
    if (this.unit.refusal === undefined || member === this.#options.world.leader())
      this.unit.refusal = fields;
  }

  #welcome(parameters: ReadonlyMap<string, string>): void {
    this.#endHold('went-on');
    for (const [name, value] of parameters) {
      const told = name === HOT_STANDBY ? 'off' : value;
      this.#heard.set(name, told);
      this.#effects.toClient(ParameterStatus(name, told));
    }
    this.#effects.toClient(BackendKeyData(this.#options.processId, this.#options.secretKey));
    this.#effects.toClient(ReadyForQuery('I'));
    this.unit.end();
    this.#intake.resume();
  }

  // ── a server connection is lost ──────────────────────────────────────────────────────────────────────────

  #writesOn(link: Link): boolean {
    if (link === this.transaction) return this.#placement.transactionNeed === 'primary';
    if (this.unit.link === link && this.unit.kind !== 'none') return this.unit.need === 'primary';
    return this.#placement.isPinned && link.proof !== undefined;
  }

  #lose(link: Link, because: LossReason): void {
    if (this.#placement.links.get(link.member) !== link) return;
    const { unit } = this;
    const isTransaction = link === this.transaction;
    const status: TransactionStatus = isTransaction ? this.status : 'I';
    const isAtWork = unit.kind !== 'none' && unit.phase === 'sent' && unit.link === link;
    if (this.#placement.isPinned && link.proof !== undefined) {
      this.#placement.isPinned = false;
      this.#pinLost = because;
    }
    this.#placement.drop(link);
    this.#effects.note('server-connection-lost', { member: link.member, because, atWork: isAtWork, status });
    if (isAtWork && link.isCutInMessage) {
      this.end();
      this.#effects.endClient();
      return;
    }
    if (isAtWork) this.#settle(status, because);
    else if (isTransaction) {
      this.limbo = new Limbo(because, false);
      if (this.#isPlacing) this.#failInLimbo(because);
    } else this.#placeAgain();
  }

  /** The unit that was sent will not be answered: says so, or runs it again. */
  #settle(status: TransactionStatus, because: LossReason): void {
    const { unit } = this;
    const verdict = whenServerLost({
      status,
      ends: unit.ends,
      writes: unit.writes,
      answered: unit.isAnswered,
      failed: unit.isFailed,
      copyUnfinished: unit.isCopyOpen,
      repeatable: !unit.isStreamed && unit.attempts < this.#options.retryReads,
    });
    switch (verdict) {
      case 'again':
        if (unit.member !== undefined) unit.excluded.add(unit.member);
        unit.again();
        this.place();
        return;
      case 'over':
        this.conclude();
        return;
      case 'failed':
        this.fail(REPLY.failed(because));
        return;
      case 'in-doubt':
        this.#endedTransaction();
        this.fail(REPLY.inDoubt(because));
        return;
      case 'rolled-back':
        this.#endedTransaction();
        this.#answerRollback(because);
        return;
      case 'transaction-lost':
        this.#failInLimbo(because);
    }
  }

  #failInLimbo(because: LossReason): void {
    const { unit } = this;
    const wasFailed = unit.isFailed;
    this.limbo = new Limbo(because, true);
    this.status = 'E';
    if (wasFailed) this.conclude();
    else this.fail(REPLY.transactionLost(because));
  }

  #endedTransaction(): void {
    this.status = 'I';
    this.limbo = undefined;
  }

  /** ROLLBACK was asked for, and happened by the loss; only a simple query's answer can be made up whole. */
  #answerRollback(because: LossReason): void {
    if (this.unit.kind !== 'query' || this.unit.isAnswered) {
      this.fail(REPLY.failed(because));
      return;
    }
    this.#intake.answerRollback();
    this.conclude();
  }

  // ── LinkOwner: what servers answer ───────────────────────────────────────────────────────────────────────

  forward(link: Link, bytes: Buffer): void {
    const { unit } = this;
    if (link !== unit.link) return;
    if (!link.hasResult && unit.need === 'read' && this.#isRepeatable) {
      unit.preamble.push(Buffer.from(bytes));
      return;
    }
    this.#tellPreamble();
    unit.isAnswered = true;
    this.#effects.toClient(bytes);
  }

  #tellPreamble(): void {
    const { preamble } = this.unit;
    if (preamble.length === 0) return;
    for (const bytes of preamble) this.#effects.toClient(bytes);
    this.unit.preamble = [];
    this.unit.isAnswered = true;
  }

  /** Nothing of the unit has been told, and all of it is still here. */
  get #isRepeatable(): boolean {
    const { unit } = this;
    return unit.isClosed && !unit.isAnswered && !unit.isStreamed && this.transaction === undefined;
  }

  ready(link: Link, message: Buffer): void {
    if (link !== this.unit.link) return;
    this.#tellPreamble();
    this.#effects.toClient(message);
    this.unit.isAnswered = true;
    if (this.unit.isClosed && link.isQuiet) this.#finish(link);
  }

  isPreparedBy(link: Link): void {
    const trouble = this.#placement.prepared(link);
    if (!this.#isPlacing) return;
    if (trouble === undefined) this.place();
    else if (trouble === 'settings-refused') {
      const fields = link.ownError;
      this.#placement.drop(link);
      if (fields !== undefined) this.fail(REPLY.refusedByServer(fields));
    } else this.#hold(trouble);
  }

  failed(link: Link, fields: ErrorFields): boolean {
    const { unit } = this;
    if (link !== unit.link) return false;
    if (fields.code === SQLSTATE.readOnlySqlTransaction && this.#canMoveToPrimary()) {
      link.pipeline.swallowAll();
      unit.again();
      unit.need = 'primary';
      return false;
    }
    unit.isFailed = true;
    link.hasResult = true;
    this.prepared.takeBack();
    return true;
  }

  /** A standby refused as a write what was taken for a read, and the client has seen nothing of it. */
  #canMoveToPrimary(): boolean {
    const { need, attempts } = this.unit;
    return this.#isRepeatable && need === 'read' && attempts < this.#options.retryReads;
  }

  confirmed(): void {
    this.prepared.confirm();
  }

  copyInBegan(link: Link): void {
    if (link !== this.unit.link) return;
    this.unit.isCopyIn = true;
    this.unit.mayWrite = true;
    const { unit } = this;
    // The Sync behind the Execute is eaten by the COPY; the client sends another after its CopyDone.
    if (unit.kind === 'batch' && unit.isClosed && !unit.isCopyDone && link.pipeline.forgetSync()) {
      unit.isClosed = false;
    }
    this.#intake.resume();
  }

  asynchronous(link: Link, message: Buffer): void {
    const isBetween = this.unit.kind === 'none' || this.unit.link === link || this.unit.phase !== 'sent';
    if (isBetween) this.#effects.toClient(message);
    else if (this.#later.length < LATER_MAX) this.#later.push(message);
  }

  parameter(link: Link, name: string, value: string): void {
    if (name === HOT_STANDBY || this.#heard.get(name) === value) return;
    if (this.unit.kind !== 'none' && this.unit.link !== link) return;
    this.#heard.set(name, value);
    this.#effects.toClient(ParameterStatus(name, value));
  }

  broken(link: Link, because: LossReason): void {
    this.#lose(link, because);
  }
}

/** Errors of a login that pass: the server is starting, stopping, full, or a connection broke. */
function isTransient(code: string): boolean {
  return code.startsWith('57') || code.startsWith('08') || code === SQLSTATE.tooManyConnections;
}
