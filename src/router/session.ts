/**
 * One client's session: bytes and events in, effects out. No socket, clock or promise: each event carries the monotonic
 * time. A class with methods for events, since an object a message is what the hot path must not cost.
 *
 *   client bytes -> Intake (which unit of work?) -> Placement (where, proven?) -> Link -> server
 *   server bytes -> Link (whose reply?) -> client
 *
 * Units run one after another: what comes meanwhile waits, since its place depends on how the transaction stands then.
 * This file is what happens to a unit; intake.ts is how messages become one.
 */
import type { SettingStatement } from '../sql/index.ts';
import {
  BackendKeyData,
  CommandComplete,
  type ErrorFields,
  ErrorResponse,
  Query,
  ReadyForQuery,
} from '../wire/index.ts';
import { Answers } from './answers.ts';
import { ClientCancels } from './client-cancels.ts';
import { ClientEar } from './client-ear.ts';
import { Intake } from './intake.ts';
import type { Link } from './link.ts';
import { Losses } from './losses.ts';
import { type Forgets, OpenPortals } from './mentions.ts';
import { ClientTimes } from './overdue.ts';
import { OwnAnswers } from './own-answers.ts';
import { Placement } from './placement.ts';
import { PREPARED_LIMITS, PreparedStatements } from './prepared.ts';
import { REPLY } from './replies.ts';
import type { HoldReason, LossReason, PinReason } from './route.ts';
import type { ServerParameters } from './server-parameters.ts';
import type { BorrowFailure, SessionEffects, SessionOptions } from './session-types.ts';
import { SettingsKeeper } from './settings-keeper.ts';
import { ShapeCheck } from './shape-check.ts';
import { Standing } from './standing.ts';
import { countUnit } from './tally.ts';
import { Unit } from './unit.ts';
import { Waiting } from './waiting.ts';

export class Session {
  readonly unit = new Unit();
  readonly standing = new Standing();
  readonly times = new ClientTimes();
  readonly prepared: PreparedStatements;
  readonly portals = new OpenPortals();
  readonly intake: Intake;
  readonly own: OwnAnswers;
  readonly cancels: ClientCancels;
  readonly #options: SessionOptions;
  readonly #effects: SessionEffects;
  readonly #placement: Placement;
  readonly #waiting: Waiting;
  readonly #keeper: SettingsKeeper;
  readonly #ear: ClientEar;
  readonly #answers: Answers;
  readonly losses: Losses;
  readonly #shapes = new ShapeCheck(this);
  #now = 0;
  #isEnded = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#effects = options.effects;
    const { classifier, serverNames, preparedLimits } = options;
    this.prepared = new PreparedStatements(classifier, serverNames, preparedLimits ?? PREPARED_LIMITS);
    this.#ear = new ClientEar(options.effects);
    this.#answers = new Answers(this, this.#ear, options);
    this.#placement = new Placement({ ...options, owner: this.#answers, lender: options.effects });
    this.#waiting = new Waiting(this, options);
    this.#keeper = new SettingsKeeper(this.#placement, this.prepared, options);
    this.losses = new Losses(this, this.#placement, options);
    const parts = { ear: this.#ear, losses: this.losses, keeper: this.#keeper, placement: this.#placement };
    this.cancels = new ClientCancels(this, options.effects);
    this.own = new OwnAnswers(this, parts, options);
    this.intake = new Intake(this, options);
  }

  /** Tells a new client the parameters of a server: `known` of a connection like its own, or of one that it borrows. */
  start(now: number, known?: ServerParameters): void {
    this.#now = now;
    this.unit.begin('start');
    if (known === undefined) this.place();
    else this.#welcome(known);
  }

  /** Bytes from the client. Throws `ProtocolViolation` on a broken stream. */
  receive(chunk: Buffer, now: number): void {
    this.#now = now;
    if (!this.#isEnded) this.intake.receive(chunk);
  }

  at(now: number): void {
    this.#now = now;
  }

  /** The connection that was waited for is there. */
  lent(link: Link, now: number): void {
    this.#now = now;
    this.#placement.lent(link);
    this.placeAgain();
    this.#placement.release(this.unit);
  }

  /** It will not come. */
  borrowFailed(member: string, failure: BorrowFailure, now: number): void {
    this.#now = now;
    this.#placement.refused(member);
    const { unit } = this;
    if (this.#isEnded || !this.isPlacing || unit.member !== member) return;
    if (failure.kind === 'full') return this.refuse(REPLY.poolFull(failure.waitedMs));
    if (failure.kind === 'refused') unit.refused(failure.fields, member === this.#options.world.leader());
    const isForPrimary = unit.kind !== 'start' && this.#placement.needsPrimary(unit);
    if (!isForPrimary) {
      unit.exclude(member);
      const next = unit.kind === 'start' ? 'nearest' : 'reader';
      if (this.#options.world[next](unit.excluded) !== undefined) {
        this.place();
        return;
      }
      unit.forgive();
    }
    if (unit.refusal !== undefined && !unit.isRefusalPassing) this.refuse(unit.refusal);
    else this.hold(isForPrimary ? 'primary-unreachable' : 'no-server-reachable');
  }

  /** The pool that it waits at has lent nothing for too long. */
  crowded(now: number): void {
    this.#now = now;
    if (this.isPlacing && this.#placement.leaveQueue(this.unit)) this.place();
  }

  /** The view of the cluster has changed. */
  worldChanged(now: number): void {
    this.#now = now;
    this.losses.worldChanged();
    this.placeAgain();
  }

  /** Time passes for a held session. */
  tick(now: number): void {
    this.#now = now;
    this.#waiting.tick(now);
  }

  /** The client asked to cancel what it does; see `ClientCancels.cancel`. */
  cancel(now: number, ended: () => void): void {
    this.#now = now;
    this.cancels.cancel(ended);
  }

  /** The client is gone, or is to go: lets go of everything. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#waiting.end('ended');
    this.cancels.drop();
    this.#placement.releaseAll(this.unit);
  }

  /** Of the event at hand. */
  get now(): number {
    return this.#now;
  }

  /** It has let go of everything, and hears nothing more. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Neither a unit nor a transaction is open. */
  get isIdle(): boolean {
    return this.unit.kind === 'none' && this.standing.status === 'I';
  }

  get links(): readonly Link[] {
    return this.#placement.links;
  }

  get pin(): { readonly member: string; readonly because: readonly PinReason[] } | undefined {
    const { pinnedTo, pinnedBecause } = this.#placement;
    if (pinnedTo === undefined) return undefined;
    return { member: pinnedTo.member, because: [...pinnedBecause] };
  }

  /** Code has run, and the server has not told yet what it has left. */
  get isBeingAsked(): boolean {
    return this.#placement.auditing.isUnderWay;
  }

  get planningKey(): string {
    return this.#keeper.planningKey;
  }

  /** What is open for writing on the link may be sent more: its server is still known to be the primary. */
  mayGoOn(link: Link): boolean {
    return this.#placement.mayGoOn(this.unit, link, this.#now);
  }

  lose(link: Link, because: LossReason): void {
    this.losses.lose(link, because);
  }

  /** Replies of our own are complete on `link`: the unit goes on its way, or it does not. */
  afterOwnReplies(link: Link): void {
    const trouble = this.#placement.prepared(link);
    if (!this.isPlacing) {
      this.#placement.release(this.unit);
      return;
    }
    if (trouble === undefined) this.place();
    else if (trouble === 'settings-refused') {
      const fields = link.ownError;
      this.losses.drop(link, 'given-up');
      if (!this.standing.prelude.isOpen && this.unit.goesBare()) this.place();
      else if (fields !== undefined) this.fail(REPLY.refusedByServer(fields));
    } else this.hold(trouble);
  }

  /**
   * DEALLOCATE of a statement that was prepared by the protocol, which at servers is not the client's alone: it is
   * forgotten here, and the unit is answered. False: it is the server's affair.
   */
  forgetHere({ name, isDiscard }: Forgets): boolean {
    const isAll = name === undefined;
    if (this.standing.status === 'E' || isDiscard) return false;
    if (isAll ? this.#placement.pinnedTo !== undefined : this.prepared.get(name) === undefined) return false;
    if (isAll) this.prepared.forgetAll();
    else this.prepared.forget(name);
    this.#effects.toClient(CommandComplete(isAll ? 'DEALLOCATE ALL' : 'DEALLOCATE'));
    this.conclude();
    return true;
  }

  // ── a unit of work: placing, sending, finishing ──────────────────────────────────────────────────────────

  /** The server connection of the open transaction. */
  get transaction(): Link | undefined {
    return this.#placement.transaction;
  }

  /** The open transaction was begun for reads: it may be at a standby. */
  get isReadOnly(): boolean {
    return this.transaction !== undefined && this.#placement.transactionNeed !== 'primary';
  }

  /** These settings could be carried to other servers. */
  canRecord(settings: readonly SettingStatement[]): boolean {
    return this.#placement.hasRoomFor(settings);
  }

  /** Looks for the unit's server connection, and sends the unit if there is one. */
  place(): void {
    const { unit } = this;
    unit.phase = 'placing';
    this.times.waits(this.transaction !== undefined, this.#now);
    const pinLost = this.losses.takePinLost();
    if (pinLost !== undefined) return this.fail(REPLY.sessionLost(pinLost));
    const place = this.#placement.find(unit, this.#now);
    switch (place.kind) {
      case 'link':
        if (unit.kind === 'start') this.#welcome(place.link.began);
        else if (!this.#shapes.isAwaited(place.link)) this.#send(place.link);
        return;
      case 'wait':
        return;
      case 'hold':
        unit.forgive();
        this.hold(place.because);
        return;
      case 'lost':
        this.losses.lose(place.link, 'leader-changed');
        return;
      case 'bound-to-standby':
        this.fail(REPLY.boundToStandby());
    }
  }

  /**
   * Answers the unit with an error of the router's own, and ends it (at its Sync, if that is still to come). An open
   * transaction fails by it, as by any error: else a COMMIT would commit it without the statement that failed.
   */
  fail(fields: ErrorFields): void {
    if (this.transaction !== undefined) this.losses.giveUp(this.transaction);
    else if (this.standing.prelude.isOpen) this.standing.enterLimbo('given-up', true);
    this.say(fields);
    this.conclude();
  }

  /** Sends an error of the router's own. */
  say(fields: ErrorFields): void {
    this.#answers.tellPreamble();
    this.#effects.replied(fields.code);
    this.#effects.toClient(ErrorResponse(fields));
  }

  /** Ends a unit without the help of a server. */
  conclude(): void {
    const { unit } = this;
    this.#waiting.end('gave-up');
    this.times.answered(this.standing.status, this.#now);
    this.#placement.stopWaiting();
    this.prepared.takeBack();
    this.prepared.settle();
    if (unit.isClosed && !unit.isParted) this.#effects.toClient(ReadyForQuery(this.standing.status));
    else this.standing.skipToSync();
    this.#endUnit();
    this.intake.resume();
  }

  #send(link: Link): void {
    const { unit } = this;
    this.#waiting.end('went-on');
    unit.sendOn(link);
    link.hasResult = false;
    this.times.sent(this.#now);
    this.cancels.drop();
    this.#count(link);
    const { text } = this.standing.prelude;
    if (text !== undefined) link.sendOwn(Query(text));
    this.intake.sending.begin(link);
    // What waited behind the part of a batch that is on its way can follow it.
    if (!unit.isClosed || this.intake.long.link === link) this.intake.resume();
  }

  #count(link: Link): void {
    const need = this.transaction === undefined ? this.unit.need : this.#placement.transactionNeed;
    if (need !== 'anywhere') this.#effects.counted(link.member, need === 'primary' ? 'write' : 'read');
    if (this.#placement.settings.isExplained) this.#effects.decided(link.member, this.unit);
  }

  /** A server has answered the unit. */
  finish(link: Link): void {
    const { unit } = this;
    const before = this.standing.status;
    const ms = countUnit(this.#options.tally, this.times, { now: this.#now, isOver: link.status === 'I' });
    this.#placement.answered(unit, link, this.#now);
    this.#effects.served(link.member, unit.need === 'primary' ? 'write' : 'read', ms);
    this.standing.answered(link.status);
    this.times.answered(this.standing.status, this.#now);
    if (unit.changesDefinitions && unit.executes) this.#options.routing.definitionsChanged();
    this.#keeper.finished(unit, link, before);
    if (unit.pinsAfter(before)) for (const because of unit.pinReasons) this.#placement.pin(link, because);
    this.prepared.settle();
    if (unit.forgets.length > 0 && unit.isSeveral) link.isSoiled = true;
    this.portals.settle(unit.isFailed, link.status === 'I');
    if (unit.makes !== undefined && !unit.isFailed) this.prepared.keep(unit.makes, link.statements);
    link.statements.closeStrays();
    this.#placement.auditAfter(unit, link, this.prepared.get('')?.isKept === false);
    this.#endUnit();
    this.#ear.tellLater();
    this.intake.resume();
  }

  /** The unit has no server yet. */
  get isPlacing(): boolean {
    return this.unit.kind !== 'none' && this.unit.phase === 'placing';
  }

  /** Looks again, after something has changed. */
  placeAgain(): void {
    if (this.isPlacing) this.place();
  }

  /** Waits for better times. */
  hold(because: HoldReason): void {
    this.#placement.stopWaiting();
    this.#waiting.hold(because, this.#now);
  }

  /** An error that ends the unit; during the start it ends the connection. */
  refuse(fields: ErrorFields): void {
    if (this.unit.kind !== 'start') {
      this.fail(REPLY.refusedByServer(fields));
      return;
    }
    this.say({ ...fields, severity: 'FATAL' });
    this.end();
    this.#effects.endClient();
  }

  #welcome(parameters: ServerParameters): void {
    this.#waiting.end('went-on');
    for (const [name, value] of parameters.values) this.intake.wishing.heard(name, value);
    this.#ear.tellFirst(this.#options.welcome(parameters));
    this.#effects.toClient(BackendKeyData(this.#options.processId, this.#options.secretKey));
    this.#effects.toClient(ReadyForQuery('I'));
    this.times.answered('I', this.#now);
    this.#endUnit();
    this.intake.resume();
  }

  #endUnit(): void {
    this.cancels.drop();
    this.portals.copies.ended();
    this.unit.end();
    this.#placement.release(this.unit);
  }
}
