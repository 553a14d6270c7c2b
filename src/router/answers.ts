/**
 * What servers answer, on its way to the client: forwarded as it comes, but for three things. The beginning of a
 * read's answer is kept back until there is a result, so that the read can still be run elsewhere; a standby's
 * refusal to write moves the unit to the primary; messages of links that are not at work go nowhere. Pure.
 */
import { type Classification, originOf } from '../sql/index.ts';
import { BACKEND, type ErrorFields, ErrorResponse, FRONTEND, READY_BYTES, SQLSTATE } from '../wire/index.ts';
import type { ClientEar } from './client-ear.ts';
import type { Link } from './link.ts';
import type { LinkOwner } from './link-types.ts';
import { type Refusal, refusalOf } from './refusal.ts';
import { REQUEST } from './pipeline.ts';
import type { LossReason } from './route.ts';
import { reopenAfterError, reopenForCopy } from './sending.ts';
import { APPLICATION_NAME } from './server-parameters.ts';
import { NOBODYS } from './server-statements.ts';
import type { Session } from './session.ts';
import type { SessionOptions } from './session-types.ts';
import type { Statement } from './statement.ts';
import type { Unit } from './unit.ts';

const DECIDED =
  'The transaction began with a read, which makes it READ ONLY (router.first_statement_decides). Begin it with READ WRITE.';

export class Answers implements LinkOwner {
  readonly #session: Session;
  readonly #ear: ClientEar;
  readonly #options: SessionOptions;

  constructor(session: Session, ear: ClientEar, options: SessionOptions) {
    this.#session = session;
    this.#ear = ear;
    this.#options = options;
  }

  arrived(now: number): void {
    this.#session.at(now);
  }

  forward(link: Link, bytes: Buffer): void {
    const { unit } = this.#session;
    if (link !== unit.link) return;
    if (!link.hasResult && (unit.need === 'read' || unit.kind === 'batch') && this.#isRepeatable) {
      unit.preamble.push(Buffer.from(bytes));
      return;
    }
    this.tellPreamble();
    unit.isAnswered = true;
    this.#options.effects.toClient(bytes);
  }

  /** What was kept back goes out now. */
  tellPreamble(): void {
    const { unit } = this.#session;
    if (unit.preamble.length === 0) return;
    for (const bytes of unit.preamble) this.#options.effects.toClient(bytes);
    unit.preamble = [];
    unit.isAnswered = true;
  }

  ready(link: Link, bytes: Buffer): void {
    const { unit } = this.#session;
    if (link !== unit.link) return;
    this.tellPreamble();
    this.#tellReady(link, bytes);
    unit.isAnswered = true;
    if (unit.isSyncInDoubt && unit.isFailed) {
      this.#session.lose(link, 'given-up');
      return;
    }
    if (!unit.isClosed || !link.isQuiet) return;
    this.#session.intake.copy.end(link);
    this.#session.intake.long.end(link);
    this.#session.finish(link);
    if (link.isOutOfStep) this.#session.lose(link, 'given-up');
  }

  #tellReady(link: Link, bytes: Buffer): void {
    const { toClient } = this.#options.effects;
    const goesOn = this.#session.intake.goesOn(link);
    if (!goesOn && this.#ear.knows(link.parameters)) {
      toClient(bytes);
      return;
    }
    const start = bytes.length - READY_BYTES;
    if (start > 0) toClient(bytes.subarray(0, start));
    if (goesOn) return;
    this.#ear.meet(link.parameters);
    toClient(bytes.subarray(start));
  }

  isPreparedBy(link: Link): void {
    this.#session.afterOwnReplies(link);
  }

  ownAccepted(link: Link): void {
    this.#session.cancels.reached(link);
  }

  ownRefused(link: Link): void {
    const { unit } = this.#session;
    if (link === unit.link && unit.hasLent && link.failedAt === REQUEST.parse) {
      // The text that speaks of it will fail, and is told why.
      unit.lendingError = link.ownError;
      link.ownError = undefined;
      this.ownAccepted(link);
      return;
    }
    this.#session.lose(link, 'settings-refused');
  }

  failed(link: Link, fields: ErrorFields, message: Buffer): Buffer | undefined {
    const { unit, prepared, standing } = this.#session;
    if (link !== unit.link) return undefined;
    const made = this.#madeToFail(fields);
    if (made !== undefined) {
      this.#goOnAfterError(unit, link);
      return made;
    }
    const refusal = refusalOf(fields);
    if (refusal === 'serializable') this.#session.own.isSerializableByDefault = true;
    if (refusal !== undefined && this.#isRescued(link, refusal)) {
      this.#again(link);
      if (refusal === 'recovery-conflict') unit.exclude(link.member);
      else unit.raise('primary', 'refused-by-standby');
      return undefined;
    }
    if (this.#isOfSharing(fields) && this.#renewStatements(link, fields)) {
      this.#again(link);
      return undefined;
    }
    unit.isFailed = true;
    link.hasResult = true;
    prepared.takeBack(link.failedAt === REQUEST.parse || link.failedAt === REQUEST.query);
    const { lendingError } = unit;
    if (lendingError !== undefined) {
      this.#goOnAfterError(unit, link);
      return ErrorResponse(lendingError);
    }
    const told = prepared.inClientsWords(fields.message, [link.statements.failed, ...unit.statements]);
    const isOfDeciding = fields.code === SQLSTATE.readOnlySqlTransaction && standing.isDecided;
    const answer =
      told === fields.message && !isOfDeciding
        ? message
        : ErrorResponse({ ...fields, message: told, ...(isOfDeciding ? { hint: DECIDED } : {}) });
    if (unit.isCopyIn) this.#copyFailed(unit, link, fields.code);
    this.#goOnAfterError(unit, link);
    return answer;
  }

  /** A batch that a query was to end is ended by the Sync now, if it has not come. */
  #goOnAfterError(unit: Unit, link: Link): void {
    if (reopenAfterError(unit, link)) this.#session.intake.resume();
  }

  /** What `link` still answers is nobody's. */
  #again(link: Link): void {
    this.#session.intake.sending.giveUp(link);
    link.pipeline.swallowAll();
    this.#session.unit.again();
    this.#session.prepared.restart();
  }

  confirmed(): void {
    this.#session.prepared.confirm();
  }

  copyInBegan(link: Link): void {
    const { unit } = this.#session;
    if (link !== unit.link) return;
    // What was sent behind the COPY without an end of its data will be refused by the server: nothing else is heard before.
    unit.copiesBegun += 1;
    if (unit.owesCopyEnd) {
      if (link.pipeline.owesMore) return;
      unit.isCopyDone = false;
    }
    unit.isCopyIn = true;
    unit.mayWrite = true;
    reopenForCopy(unit, link);
    this.#session.intake.resume();
  }

  completed(link: Link, isInQuery: boolean): void {
    const { unit } = this.#session;
    if (link !== unit.link) return;
    unit.completed += 1;
    if (isInQuery && unit.forgets.length > 0) this.#forget(link);
    if (!unit.isCopyIn) return;
    unit.isCopyIn = false;
    // A Sync among the data was eaten too, since nothing failed before it.
    if (unit.kind !== 'batch') return;
    link.pipeline.forgetSyncs(unit.syncsInCopy);
    unit.forgetSyncs();
  }

  /**
   * The server has read over the Syncs among the data before what was wrong, and answers those behind it. With data and a
   * Sync, and then no more, the data was wrong; with the client's own CopyFail nothing was before. Else it is not known
   * how many it answers, and nobody may get the connection: what came late would be taken for an answer to others.
   */
  #copyFailed(unit: Unit, link: Link, code: string): void {
    unit.isCopyIn = false;
    if (unit.kind !== 'batch' || unit.syncsInCopy === 0) return;
    const isByClient = !unit.owesCopyEnd && !unit.isCopyDone && code === SQLSTATE.queryCanceled;
    const { isSyncInDoubt } = unit;
    if (unit.isSyncAmongData && !isSyncInDoubt) unit.isClosed = true;
    else link.pipeline.forgetSyncs(unit.syncsInCopy, 'failed');
    unit.forgetSyncs();
    unit.isSyncInDoubt = isSyncInDoubt && !isByClient;
  }

  /** One more statement of a simple query is complete: what it has forgotten is not taken back if a later one fails. */
  #forget(link: Link): void {
    const { unit, prepared } = this.#session;
    for (const { at, name } of unit.forgets) {
      if (at !== unit.completions) continue;
      if (name === undefined) {
        prepared.forgetAll();
        link.statements.forgetAll();
      } else {
        prepared.forget(name);
        link.statements.forgetName(name);
      }
    }
    unit.completions += 1;
  }

  notice(link: Link, message: Buffer): void {
    const { unit } = this.#session;
    if (unit.kind !== 'none' && link === unit.link) this.forward(link, message);
    else this.asynchronous(link, message);
  }

  asynchronous(link: Link, message: Buffer): void {
    const { unit } = this.#session;
    // Who notifies itself knows so by the number that it was told when it connected.
    const isOwn = isNotificationBy(message, link.place.processId);
    const told = isOwn ? notificationBy(message, this.#options.processId) : message;
    this.#ear.tell(told, unit.kind === 'none' || unit.link === link || unit.phase !== 'sent');
  }

  parameter(link: Link, name: string, value: string): void {
    const { unit } = this.#session;
    if (unit.kind !== 'none' && unit.link !== link) return;
    this.#session.intake.wishing.heard(name, value);
    this.#ear.parameter(name, name === APPLICATION_NAME && value === '' ? this.#nameAfterReset : value);
  }

  /** A reset leaves the connection without a name; the client's is what it began with, and comes with its next statement. */
  get #nameAfterReset(): string {
    const isSet = this.#session.unit.settings.some(({ changes }) =>
      changes.some(({ name, value }) => name === APPLICATION_NAME && value === ''),
    );
    return isSet ? '' : this.#options.applicationName;
  }

  outOfStep(link: Link, message: Buffer): void {
    if (link === this.#session.unit.link) {
      this.tellPreamble();
      this.#options.effects.toClient(message);
    }
    this.#session.end();
    this.#options.effects.endClient();
  }

  broken(link: Link, because: LossReason): void {
    this.#session.lose(link, because);
  }

  /** The error is that of a Bind which was sent so that it fails, or of the failed transaction that it is in. */
  #madeToFail({ code, message }: ErrorFields): Buffer | undefined {
    const { unit, prepared } = this.#session;
    const { misfitBecause } = unit;
    const isNobodys = code === SQLSTATE.invalidSqlStatementName && message.includes(NOBODYS);
    const isOurs = isNobodys || code === SQLSTATE.inFailedSqlTransaction;
    if (misfitBecause === undefined || !isOurs) return undefined;
    unit.isFailed = true;
    if (unit.link !== undefined) unit.link.hasResult = true;
    prepared.takeBack();
    return ErrorResponse(misfitBecause);
  }

  /** Nothing of the unit has been told, and all of it is still here. */
  get #isRepeatable(): boolean {
    const { unit, transaction } = this.#session;
    return unit.isClosed && !unit.isAnswered && !unit.isStreamed && transaction === undefined;
  }

  /** Errors that a client may get only because sessions share what servers keep prepared. */
  #isOfSharing({ code, routine, message }: ErrorFields): boolean {
    if (code === SQLSTATE.invalidSqlStatementName) return this.#session.prepared.speaksOfServers(message);
    return code === SQLSTATE.featureNotSupported && routine === 'RevalidateCachedQuery';
  }

  /**
   * The server's statements are not what they were thought to be: what the unit uses is prepared anew. True: nothing of the
   * unit was told and it can be run again. Not so if the client counts on columns that it was told of before, or has
   * prepared it before the change itself: then it gets the error as from PostgreSQL.
   */
  #renewStatements(link: Link, { code }: ErrorFields): boolean {
    const { unit, prepared } = this.#session;
    const isLost = code === SQLSTATE.invalidSqlStatementName;
    let isOwnFault = false;
    let isShared = false;
    for (const statement of unit.statements) {
      if (statement === undefined || statement.name === '' || !statement.isKept) continue;
      if (isLost) link.statements.forget(statement);
      if (!isLost && prepared.isOfEarlier(statement)) isOwnFault = true;
      else prepared.renew(statement);
      isShared = true;
    }
    if (!isShared || isOwnFault || !this.#isRepeatable || unit.controlsTransaction) return false;
    return (isLost || unit.describes) && unit.attempts < this.#options.config().retry_reads;
  }

  /**
   * A standby refused what was taken for a read: if that is because of what it is, not of when it ran, it is remembered; and it
   * is run again elsewhere if the client has seen nothing of it. A primary's word is the last one.
   */
  #isRescued(link: Link, refusal: Refusal): boolean {
    const { unit, standing } = this.#session;
    const { config, routing, world } = this.#options;
    if (unit.need !== 'read' || link.member === world.leader()) return false;
    // In a READ ONLY transaction the primary refuses it too, and not for being where it is.
    if (refusal === 'refused-as-write' && standing.isDecided) return false;
    if (refusal === 'refused-as-write') this.#remember(this.#refusedOf(unit));
    if (!this.#isRepeatable || unit.attempts >= config().retry_reads) return false;
    routing.rescued(refusal);
    return true;
  }

  #remember(refused: Classification | undefined): void {
    if (refused === undefined) return;
    const { now, prepared } = this.#session;
    const { routing } = this.#options;
    const epoch = prepared.epoch + routing.definitions.generation;
    routing.refused.add(routing.database, originOf(refused), { now, epoch });
  }

  /** Which statement of the unit was refused: in a batch, that of the first Execute that is not complete. */
  #refusedOf(unit: Unit): Classification | undefined {
    if (!unit.isMixed) return unit.found;
    if (unit.kind !== 'batch') return undefined;
    let bound: Statement | undefined;
    let executes = 0;
    for (let index = 0; index < unit.messages.count; index += 1) {
      const tag = unit.messages.at(index)?.[0];
      if (tag === FRONTEND.Bind) bound = unit.statements[index];
      if (tag !== FRONTEND.Execute) continue;
      if (executes === unit.completed)
        return bound && this.#session.intake.wishing.resolve(bound.classification, bound);
      executes += 1;
    }
    return undefined;
  }
}

const HEADER_BYTES = 5;

function isNotificationBy(message: Buffer, processId: number): boolean {
  return message[0] === BACKEND.NotificationResponse && message.readInt32BE(HEADER_BYTES) === processId;
}

function notificationBy(message: Buffer, processId: number): Buffer {
  const changed = Buffer.from(message);
  changed.writeInt32BE(processId, HEADER_BYTES);
  return changed;
}
