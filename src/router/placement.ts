/**
 * Finds the server connection for a unit of work, step by step: which member, has the session a connection to it or can
 * one be borrowed, is it proven primary for this term (invariant 2), has it the session's settings. Each call looks at
 * everything anew, so a change of leader between two steps is seen. Holds what the session has borrowed, and gives back
 * what it needs no more: in transaction mode everything but the connection of an open transaction, and the one to which
 * the session is pinned because it has state there that cannot be carried. Pure.
 */
import { Pinned } from './pinned.ts';
import { Query } from '../wire/index.ts';
import type { Link } from './link.ts';
import { mayEndPin } from './audit.ts';
import { Auditing } from './auditing.ts';
import { Choosing } from './choosing.ts';
import {
  askForState,
  BOUND_TO_STANDBY,
  mayUseState,
  type Place,
  type PlacementOptions,
  type Probing,
  SETTINGS_LIMITS,
  WAIT,
} from './place.ts';
import { isOfStandby, PROBE_SQL, readProbe } from './probe.ts';
import type { HoldReason, Need, PinReason } from './route.ts';
import { Reads } from './reads.ts';
import {
  differenceOf,
  haveRoom,
  keptPastRole,
  NO_SETTINGS,
  type Settings,
  settingsAfter,
  UNKNOWN_SETTINGS,
} from './settings.ts';
import type { Unit } from './unit.ts';
import type { Term } from './world.ts';
import type { SettingStatement } from '../sql/index.ts';

const ROLLBACK = Query('ROLLBACK');

export class Placement {
  /** What the client has set. */
  settings: Settings;
  /** What the session has borrowed: one a member. */
  readonly links: Link[] = [];
  /** The link of the open transaction, what it was begun for, and who led then. */
  transaction: Link | undefined = undefined;
  transactionNeed: Need = 'anywhere';
  transactionLeader: string | undefined = undefined;

  readonly #options: PlacementOptions;
  readonly #reads: Reads;
  readonly #choosing: Choosing;
  readonly #pinned = new Pinned();
  readonly auditing = new Auditing();
  /** The member whose connection the session waits for. */
  #waitingFor: string | undefined = undefined;
  #probing: Probing | undefined = undefined;
  /** Settings under way whose answer is awaited. */
  #bringing: { readonly link: Link; readonly settings: Settings } | undefined = undefined;

  constructor(options: PlacementOptions) {
    this.#options = options;
    this.settings = options.settings;
    this.#reads = new Reads(options);
    this.#choosing = new Choosing(options);
  }

  /** What a reset of settings goes back to. */
  get startSettings(): Settings {
    return this.#options.settings;
  }

  /** The connection that has state of the session which no other has. */
  get pinnedTo(): Link | undefined {
    return this.#pinned.to;
  }

  /** Why it is pinned, the first cause first. */
  get pinnedBecause(): ReadonlySet<PinReason> {
    return this.#pinned.because;
  }

  /** The session waits for notifications on the connection that it is pinned to. */
  get listens(): boolean {
    return this.#pinned.because.has('listens');
  }

  find(unit: Unit, now: number): Place {
    if (this.transaction !== undefined) {
      unit.placeBecause = 'in-transaction';
      return this.#inTransaction(this.transaction, now);
    }
    // Its answer may pin the session there, and must not free it of what it makes elsewhere meanwhile.
    if (this.auditing.isUnderWay) return WAIT;
    const pinned = this.#pinned.to;
    if (pinned !== undefined && mayUseState(unit, pinned)) {
      this.#probing ??= askForState(unit, pinned);
      return WAIT;
    }
    if (this.needsPrimary(unit)) {
      const primary = this.#options.world.primary(now);
      if (primary.kind === 'none') return { kind: 'hold', because: primary.because };
      if (pinned !== undefined && pinned.member !== primary.member) {
        return pinned.proof === undefined ? BOUND_TO_STANDBY : { kind: 'lost', link: pinned };
      }
      unit.member = primary.member;
      unit.placeBecause = unit.need === 'primary' ? 'needs-primary' : 'state-is-there';
      const isAwaited = this.#reads.isPrimaryAwaited(unit, this, now);
      return isAwaited ? WAIT : this.#step(unit, primary.member, primary.term);
    }
    unit.member ??=
      pinned === undefined ? this.#choosing.choose(unit, this.links) : this.#choosing.stay(unit, pinned);
    if (unit.need === 'read' && this.#isReadAwaited(unit, now)) return WAIT;
    if (unit.member !== undefined) return this.#step(unit, unit.member);
    if (unit.isPassedOver) return { kind: 'hold', because: 'no-server-in-step' };
    return { kind: 'hold', because: unit.kind === 'start' ? 'no-server-reachable' : 'no-server-for-reads' };
  }

  /** Only the primary will do: for what it does, or because the session's state is there. */
  needsPrimary(unit: Unit): boolean {
    return unit.need === 'primary' || this.#pinned.to?.proof !== undefined;
  }

  /** A batch for the primary lasts while that is known to be one: its end commits it. One in a READ ONLY transaction does not. */
  mayGoOn(unit: Unit, link: Link, now: number): boolean {
    if (this.transaction !== undefined || unit.sentFor !== 'primary') return true;
    const primary = this.#options.world.primary(now);
    return primary.kind === 'primary' && primary.member === link.member;
  }

  /** A connection that was waited for has come. */
  lent(link: Link): void {
    this.#waitingFor = undefined;
    this.links.push(link);
    link.owner = this.#options.owner;
  }

  /** It will not come. */
  refused(member: string): void {
    if (this.#waitingFor === member) this.#waitingFor = undefined;
  }

  stopWaiting(): void {
    if (this.#waitingFor !== undefined) this.#options.lender.stopWaiting();
    this.#waitingFor = undefined;
  }

  /** The pool that a read waits at has lent nothing for too long: the read leaves for a node that has room, if there is one. */
  leaveQueue(unit: Unit): boolean {
    const isFree = this.transaction === undefined && this.#pinned.to === undefined;
    const from = this.#waitingFor;
    if (!isFree || from === undefined || !this.#choosing.mayMove(unit, from)) return false;
    this.stopWaiting();
    return true;
  }

  /** The session has state on `link` that cannot be carried: it stays there. */
  pin(link: Link, because: PinReason): void {
    this.#pinned.pin(link, because);
  }

  /** Settings of the session, `names` among them, may be others there than they are known to be: the server is asked. */
  doubt(link: Link, names: readonly string[]): void {
    this.suspect(link, names);
    if (this.#options.isSessionMode) this.pin(link, 'settings-unknown');
  }

  /** The server is asked what the session has there, and whether it may make these settings elsewhere. */
  suspect(link: Link, names: readonly string[] = []): void {
    this.auditing.doubt(link, names);
  }

  /** The session has made these settings, and `link` has them. */
  record(statements: readonly SettingStatement[], link: Link): void {
    for (const statement of statements) {
      const isKeepable = this.hasRoomFor([statement]);
      const kept = keptPastRole(this.settings, statement);
      if (kept.length > 0) this.suspect(link, kept);
      this.settings = settingsAfter(this.settings, statement, this.startSettings);
      link.settings = settingsAfter(link.settings, statement, NO_SETTINGS);
      if (!isKeepable) this.pin(link, 'settings-unknown');
      if (statement.clears === 'everything') this.unpin();
    }
  }

  /** The state is gone from the connection. */
  unpin(): void {
    this.#pinned.free();
  }

  /**
   * Where the unit may have made state on the connection, or ended that which pins the session, the server is asked,
   * while the client has its answer already; then the session is pinned or freed. Not while the client has an unnamed
   * statement of which there is no copy: the question would end it.
   */
  auditAfter(unit: Unit, link: Link, hasUnnamedThere = false): void {
    const { isSessionMode, auditsCode, owner } = this.#options;
    if (unit.isSuspect && auditsCode) {
      // A Bind alone runs code, to plan or to read parameters. Reads too are to see what no question finds, such as a custom setting.
      if (isSessionMode && unit.need === 'primary') this.pin(link, 'runs-code');
      link.isSuspect = true;
      link.doubtedSince = owner;
    }
    const mayBeFree = this.#pinned.to === link && mayEndPin(unit, this.#pinned.because);
    // In session mode a pin matters only where the session could not write, or would be told that its server is gone.
    const isAtStandby = this.#pinned.to !== undefined && this.#pinned.to.proof === undefined;
    const isMattering = isAtStandby || (mayBeFree && this.listens);
    if (isSessionMode && !isMattering && !link.isSuspect) return;
    if (link.status !== 'I' || hasUnnamedThere) return;
    const isWanted = (mayBeFree || link.isSuspect) && !this.#pinned.isForGood;
    // What is lent to SQL under the client's names is being closed.
    if (!link.owesClientNothing) return;
    link.isSuspect = false;
    if (isWanted) this.auditing.begin(link);
  }

  /** These settings could be carried to other connections. */
  hasRoomFor(statements: readonly SettingStatement[]): boolean {
    return haveRoom(this.settings, statements, SETTINGS_LIMITS);
  }

  /** Gives back what neither the unit nor a transaction nor the session's state needs. */
  release(unit: Unit): void {
    if (this.#options.isSessionMode) return;
    for (let index = this.links.length - 1; index >= 0; index -= 1) {
      const link = this.links[index];
      if (link === undefined || link === this.transaction || link === this.#pinned.to || !link.isQuiet)
        continue;
      if (unit.kind !== 'none' && (unit.link === link || unit.member === link.member)) continue;
      if (!this.#leftOpen(link)) this.#giveBack(link);
    }
  }

  /** The session ends: everything goes back, what is at work or in a transaction to nobody. */
  releaseAll(unit: Unit): void {
    this.stopWaiting();
    for (const link of Array.from(this.links)) {
      if (this.#options.isSessionMode) link.isSoiled = true;
      const isAtWork = unit.kind !== 'none' && unit.link === link;
      const isFit = !isAtWork && link.isQuiet && link.status === 'I';
      if (isFit) this.#giveBack(link);
      else this.drop(link);
    }
  }

  /** Takes the link out of use; the caller has said or says what becomes of its work. */
  drop(link: Link): void {
    if (!this.#forget(link)) return;
    link.abandon();
    this.#options.lender.discard(link);
  }

  /** Our own replies on `link` are complete; says what came of it if it was not good. */
  prepared(link: Link): HoldReason | 'settings-refused' | undefined {
    const refused = link.ownError !== undefined;
    if (this.#bringing?.link === link) {
      if (!refused) link.settings = this.#bringing.settings;
      this.#bringing = undefined;
      return refused && !this.#putAside(link) ? 'settings-refused' : undefined;
    }
    if (this.auditing.isOf(link)) {
      const audit = this.auditing.end(link);
      if (audit === undefined) return undefined;
      this.#pinned.become(link, audit);
      this.record(audit.changes, link);
      // It was another role than it was known to be.
      if (link.isSuspect && !this.#pinned.isForGood) this.auditing.begin(link);
      return undefined;
    }
    if (this.#probing?.link !== link) return undefined;
    const { term, unit } = this.#probing;
    this.#probing = undefined;
    if (unit?.isStateAsked === true) unit.placeAtState(isOfStandby(link.probedRow));
    if (term === undefined) return undefined;
    const outcome = readProbe(link.probedRow, term);
    if (outcome !== 'proven') return outcome;
    link.proof = term;
    return undefined;
  }

  #inTransaction(link: Link, now: number): Place {
    if (this.transactionNeed === 'primary') {
      const primary = this.#options.world.primary(now);
      if (primary.kind === 'none') return { kind: 'hold', because: primary.because };
      if (primary.member !== link.member) return { kind: 'lost', link };
      // A failed transaction commits nothing, and refuses the question.
      if (link.proof !== primary.term && link.status === 'T') return this.#prove(link, primary.term);
    }
    return link.isQuiet ? { kind: 'link', link } : WAIT;
  }

  /** A server has answered the unit: what it has shown is to be seen from here on, and the transaction is there or is over. */
  answered(unit: Unit, link: Link, now: number): void {
    this.noteSeen(unit, link, now);
    if (link.status === 'I') this.transaction = undefined;
    else if (this.transaction === undefined) {
      this.transaction = link;
      this.transactionNeed = unit.sentFor;
      this.transactionLeader = this.#options.world.leader();
    }
  }

  noteSeen(unit: Unit, link: Link, now: number): void {
    this.#reads.answered(unit, link === this.transaction ? this.transactionNeed : unit.need, link, now);
  }

  /** A server that is fit to be read from, or a connection to it, is not there yet; which is fit depends on the connection. */
  #isReadAwaited(unit: Unit, now: number): boolean {
    for (;;) {
      if (this.#reads.isAwaited(unit, this, now)) return true;
      if (unit.member === undefined || this.#heldOf(unit.member) !== undefined) return false;
      if (this.#borrow(unit.member) === undefined) return true;
    }
  }

  #step(unit: Unit, member: string, term?: Term): Place {
    const link = this.#heldOf(member) ?? this.#borrow(member);
    if (link === undefined || !link.isQuiet || this.#leftOpen(link)) return WAIT;
    if (term !== undefined && link.proof !== term) return this.#prove(link, term);
    if (unit.kind === 'start') return { kind: 'link', link };
    if (link.isDoubtfulFor(this.#options.owner)) link.settings = UNKNOWN_SETTINGS;
    const wanted = unit.isBare ? this.startSettings : this.settings;
    return link.settings.key === wanted.key ? { kind: 'link', link } : this.#bring(link, wanted);
  }

  /** A transaction that was begun there with a statement that is now run elsewhere, or anew: it is rolled back first. */
  #leftOpen(link: Link): boolean {
    if (link.status === 'I' || link === this.transaction) return false;
    link.sendOwn(ROLLBACK);
    return true;
  }

  #heldOf(member: string): Link | undefined {
    for (const link of this.links) if (link.member === member) return link;
    return undefined;
  }

  #borrow(member: string): Link | undefined {
    if (this.#waitingFor === member) return undefined;
    this.stopWaiting();
    const link = this.#options.lender.borrow(member);
    if (link === undefined) this.#waitingFor = member;
    else this.lent(link);
    return link;
  }

  #prove(link: Link, term: Term): Place {
    if (!link.isQuiet) return WAIT;
    this.#probing = { link, term };
    link.ask(PROBE_SQL);
    return WAIT;
  }

  /**
   * Sends what the connection's settings lack. The statement may follow at once if none of it can fail; else it waits for
   * the answer, since under other settings it could mean something else.
   */
  #bring(link: Link, settings: Settings): Place {
    const { statements, isSure } = differenceOf(link.settings, settings);
    if (statements.length > 0) link.sendOwn(Query(statements.join('; ')));
    if (statements.length === 0 || isSure) {
      link.settings = settings;
      return { kind: 'link', link };
    }
    this.#bringing = { link, settings };
    return WAIT;
  }

  /**
   * What others have left there may be what the server refuses to take back, and is no affair of this session: it is
   * cleaned, or else closed. False: it was refused on a connection with nothing on it.
   */
  #putAside(link: Link): boolean {
    if (link === this.#pinned.to || link.settings.key === NO_SETTINGS.key) return false;
    link.isSoiled = true;
    this.#giveBack(link);
    return true;
  }

  #giveBack(link: Link): void {
    if (!this.#forget(link)) return;
    link.owner = undefined;
    this.#options.lender.giveBack(link);
  }

  #forget(link: Link): boolean {
    const index = this.links.indexOf(link);
    if (index < 0) return false;
    if (index === this.links.length - 1) this.links.pop();
    else this.links.splice(index, 1);
    if (this.transaction === link) this.transaction = undefined;
    if (this.#pinned.to === link) this.#pinned.clear();
    this.auditing.forget(link);
    if (this.#probing?.link === link) this.#probing = undefined;
    if (this.#bringing?.link === link) this.#bringing = undefined;
    return true;
  }
}
