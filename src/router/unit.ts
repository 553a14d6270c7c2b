/**
 * The unit of work that a session routes as a whole: one simple Query, one batch of the extended protocol up to
 * its Sync, one FunctionCall, or the session's own start. One object per session, used over and over.
 *
 *   none -> collecting -> placing (choosing, opening, proving, held) -> sent -> none
 */
import type { Freshness, Route } from '../routing/index.ts';
import type { Classification, SettingStatement } from '../sql/index.ts';
import { type ErrorFields, SQLSTATE, type TransactionStatus } from '../wire/index.ts';
import { KeptMessages } from './kept-messages.ts';
import type { Link } from './link.ts';
import type { Forgets, Mention } from './mentions.ts';
import {
  type Intent,
  type Need,
  type NeedReason,
  type PinReason,
  type PlaceReason,
  stricter,
} from './route.ts';
import { isIndifferent } from './settings.ts';
import type { Statement } from './statement.ts';

const NOTHING: readonly Forgets[] = [];

export class Unit {
  kind: 'none' | 'start' | 'query' | 'batch' | 'call' = 'none';
  phase: 'collecting' | 'placing' | 'sent' = 'collecting';
  /** Of the session's units, this is so manieth. */
  serial = 0;
  need: Need = 'anywhere';
  needBecause: NeedReason = 'its-class';
  /** What it needed when its server was chosen; in a batch that is still open more may follow. */
  sentFor: Need = 'anywhere';
  /** What it needs beside the state of the session that it uses; the server that has that was asked what it is. */
  needBeside: Need = 'anywhere';
  isStateAsked = false;
  /** Where it is wished to be read, and who wishes so. */
  wish: Route | undefined = undefined;
  wishFrom = '';
  /** How fresh it must be read, where somebody says so; it was judged for that; since when it waits for a server to be. */
  freshness: Freshness | undefined = undefined;
  isJudged = false;
  readWaitsSince: number | undefined = undefined;
  /** Its first choice was not fit; this one is taken all the same, since none is, or no other may serve it. */
  isPassedOver = false;
  lastResort: string | undefined = undefined;
  /** Its only statement, or the strictest of several: what it is. */
  found: Classification | undefined = undefined;
  isMixed = false;
  /** Beside reads there is something in it. */
  hasOther = false;
  /** The last message of it has arrived. */
  isClosed = false;
  /** By a Sync of our own: what the client has said behind it, up to its own Sync, is a unit of its own. */
  isParted = false;
  /** What the statements in it would do if they are executed, and whether any is. */
  mayWrite = false;
  mayPin = false;
  mayEnd: Intent['ends'] = undefined;
  /** How what is executed of a batch would end the transaction. */
  #ends: Intent['ends'] = undefined;
  mayChain = false;
  executes = false;
  /** It leaves state on its server even if nothing in it is executed. */
  mayLeaveState = false;
  /** What it leaves there. */
  readonly pinBecause = new Set<PinReason>();
  /** It may free a pinned session of its state; it changes definitions, or those of settings until the transaction ends. */
  mayUnpin = false;
  /** It runs code that was not looked into. */
  isSuspect = false;
  changesDefinitions = false;
  setsLocally = false;
  /** It creates something that is temporary under such a search_path. */
  creates = false;
  /** What a simple query in it forgets of prepared statements, and how many of its statements are complete. */
  forgets: readonly Forgets[] = NOTHING;
  completions = 0;
  /** It is SQL's PREPARE of what the session is to keep. */
  makes: Statement | undefined = undefined;
  /** So many of its statements have ended without an error. */
  completed = 0;
  /** A server was sent what its text speaks of; why it could not get that. */
  hasLent = false;
  lendingError: ErrorFields | undefined = undefined;
  /** Its Bind is made to fail, and the client is told why. */
  misfit: Statement | undefined = undefined;
  misfitBecause: ErrorFields | undefined = undefined;
  /** The text of it is of several statements which speak of prepared ones. */
  isSeveral = false;
  /** It is the rest of a text, with something in front whose answer is swallowed. */
  isRest = false;
  /** What SQL in the message at hand says of prepared statements. */
  mention: Mention | undefined = undefined;
  hasSavepoint = false;
  /** It asks for the columns of its answer. */
  describes = false;
  /** A BEGIN, COMMIT or ROLLBACK is in it, alone or among others. */
  controlsTransaction = false;
  /** A statement that is only about a transaction is in it. */
  isAboutTransaction = false;
  /** A COMMIT or ROLLBACK is in it among others. */
  endsAmong = false;
  settings: SettingStatement[] = [];
  /** Something in it is no change of settings. */
  doesMore = false;
  /** It is run with what the session has begun with. */
  isBare = false;
  /** Names of settings that it sets to what only the server can tell. */
  sets: string[] = [];

  /** Its messages, with the statement that each makes or uses. Kept until the end, so that a read can be run again. */
  readonly messages = new KeptMessages();
  readonly statements: (Statement | undefined)[] = [];
  readonly mentions: (Mention | undefined)[] = [];
  /** So many of them were sent. */
  sentCount = 0;
  /** Some messages went straight to the server and are not kept. */
  isStreamed = false;

  /** Where it goes, or is to go, and why there. */
  member: string | undefined = undefined;
  placeBecause: PlaceReason = 'connection-at-hand';
  link: Link | undefined = undefined;
  readonly excluded = new Set<string>();
  attempts = 0;
  /** What a server said when it refused to be connected to. */
  refusal: ErrorFields | undefined = undefined;

  /** The beginning of an answer that has no result yet: kept back, so that a read can still be run elsewhere. */
  preamble: Buffer[] = [];
  /** The client has seen a part of the answer; an error in it. */
  isAnswered = false;
  isFailed = false;
  /** The server has asked for COPY data; the client has sent a CopyDone, so that the COPY may have been carried out. */
  isCopyIn = false;
  isCopyDone = false;
  /** How often the server has asked for data, and how many ends of data (CopyDone, CopyFail) it was sent. */
  copiesBegun = 0;
  copiesEnded = 0;
  /** Data was sent whose end was not; so many Syncs were sent among data, or where data is waited for. */
  isCopyFed = false;
  syncsInCopy = 0;
  /** One of them came behind data; and more behind that, so that if the COPY fails nobody knows whether the Sync is answered. */
  isSyncAmongData = false;
  isSyncInDoubt = false;

  /** It has a server, which has not got all of it: the rest follows in the next turn. */
  get isSending(): boolean {
    return this.phase === 'sent' && this.sentCount < this.messages.count;
  }

  /** Of the COPY that the server has begun last it was not sent the end. */
  get owesCopyEnd(): boolean {
    return this.copiesBegun > this.copiesEnded;
  }

  forgetSyncs(): void {
    this.syncsInCopy = 0;
    this.isSyncAmongData = false;
    this.isSyncInDoubt = false;
  }

  /** The server waits for data, or for its end. */
  get isCopyOpen(): boolean {
    return this.isCopyIn && this.owesCopyEnd;
  }

  /** The server refuses the session's settings: what only takes them back can do without. False: it cannot, or did not help. */
  goesBare(): boolean {
    const [statement, ...others] = this.settings;
    if (this.isBare || !this.isClosed || this.doesMore) return false;
    if (statement === undefined || others.length > 0) return false;
    this.isBare = isIndifferent(statement);
    return this.isBare;
  }

  get writes(): boolean {
    return this.mayWrite && this.executes;
  }

  /** It only reads, wherever it must, and begins nothing that may write. */
  get isRead(): boolean {
    if (this.found?.kind !== 'read' || this.mayWrite || this.hasOther) return false;
    return this.needBecause !== 'its-transaction' && this.needBecause !== 'refused-by-standby';
  }

  /**
   * Its server has what no other has, now that it is over. In a failed transaction (`before`) nothing is done until what
   * ends it, or goes back to a savepoint, is complete. To be asked behind what a DISCARD ALL in it has freed.
   */
  pinsAfter(before: TransactionStatus): boolean {
    return this.mayLeaveState || (this.mayPin && this.executes && (before !== 'E' || this.completed > 0));
  }

  /** Why. A LOAD that failed, with nothing before it, has loaded nothing. */
  get pinReasons(): Iterable<PinReason> {
    if (this.pinBecause.size === 0) return ['settings-unknown'];
    const isNothingDone = this.isFailed && this.completed === 0;
    return isNothingDone
      ? [...this.pinBecause].filter((reason) => reason !== 'loads-library')
      : this.pinBecause;
  }

  get ends(): Intent['ends'] {
    return this.kind === 'batch' ? this.#ends : this.mayEnd;
  }

  /** An Execute of a batch does so. Where a COMMIT is among others, that is what counts when the answer is lost. */
  willEnd(ends: Intent['ends']): void {
    if (ends === undefined) return;
    if (this.#ends !== undefined) this.endsAmong = true;
    if (this.#ends !== 'commit') this.#ends = ends;
  }

  begin(kind: Unit['kind']): void {
    this.kind = kind;
    this.phase = 'collecting';
    this.serial += 1;
    this.need = 'anywhere';
    this.needBecause = 'its-class';
    this.needBeside = 'anywhere';
    this.isStateAsked = false;
    this.wish = undefined;
    this.wishFrom = '';
    this.freshness = undefined;
    this.isJudged = false;
    this.readWaitsSince = undefined;
    this.isPassedOver = false;
    this.lastResort = undefined;
    this.found = undefined;
    this.isMixed = false;
    this.hasOther = false;
    this.isClosed = kind !== 'batch';
    this.isParted = false;
    this.executes = kind !== 'batch';
    this.mayWrite = false;
    this.mayPin = false;
    this.mayEnd = undefined;
    this.#ends = undefined;
    this.mayChain = false;
    this.mayLeaveState = false;
    // To clear a set that is empty costs a new table.
    if (this.pinBecause.size > 0) this.pinBecause.clear();
    this.mayUnpin = false;
    this.isSuspect = false;
    this.changesDefinitions = false;
    this.setsLocally = false;
    this.creates = false;
    this.forgets = NOTHING;
    this.completions = 0;
    this.makes = undefined;
    this.completed = 0;
    this.isSeveral = false;
    this.hasLent = false;
    this.lendingError = undefined;
    this.misfit = undefined;
    this.misfitBecause = undefined;
    this.doesMore = false;
    this.isBare = false;
    this.isRest = false;
    this.mention = undefined;
    this.hasSavepoint = false;
    this.describes = false;
    this.controlsTransaction = false;
    this.isAboutTransaction = false;
    this.endsAmong = false;
    this.isStreamed = false;
    this.member = undefined;
    this.link = undefined;
    this.attempts = 0;
    this.refusal = undefined;
    this.isAnswered = false;
    this.isFailed = false;
    this.isCopyIn = false;
    this.isCopyDone = false;
    this.copiesBegun = 0;
    this.copiesEnded = 0;
    this.isCopyFed = false;
    this.forgetSyncs();
    this.#empty();
  }

  end(): void {
    this.kind = 'none';
    this.link = undefined;
    this.#empty();
  }

  /** The chunk that messages arrived in is about to be overwritten. */
  own(): void {
    this.messages.own();
  }

  keep(message: Buffer, statement: Statement | undefined): void {
    this.messages.add(message);
    this.statements.push(statement);
    this.mentions.push(this.mention);
  }

  /** From here on its messages go straight to the server: it cannot be run again. */
  stream(): void {
    this.isStreamed = true;
    this.#dropMessages();
  }

  /** Some of its settings, or of those that its transaction made before, hold and some do not: which is not known. */
  get hasMixedFate(): boolean {
    return this.endsAmong || (this.mayEnd !== undefined && this.settings.length > 0);
  }

  /** It must go where `intent` needs it, executed or not. */
  require(intent: Intent): void {
    this.need = stricter(this.need, intent.need);
    if (intent.usesState !== true) this.needBeside = stricter(this.needBeside, intent.need);
  }

  /** Something beside its class makes it stricter. */
  raise(need: Need, because: NeedReason): void {
    this.needBeside = stricter(this.needBeside, need);
    const raised = stricter(this.need, need);
    if (raised === this.need) return;
    this.need = raised;
    this.needBecause = because;
  }

  /** It is about to do what `intent` says. */
  intend(intent: Intent): void {
    this.require(intent);
    if (intent.writes) this.mayWrite = true;
    if (intent.pins) this.mayPin = true;
    // Where a COMMIT is among others, that is what counts when the answer is lost.
    if (intent.ends !== undefined && this.mayEnd !== 'commit') this.mayEnd = intent.ends;
    if (intent.chains === true) this.mayChain = true;
  }

  /** The server that has the state which it uses is a standby, where it can run; or it is none, and must be proven to be the primary. */
  placeAtState(isStandby: boolean): void {
    if (isStandby) this.need = 'anywhere';
    else this.needBeside = 'primary';
  }

  /** What the leader says counts more than what a standby says: it may not know the role or database yet. */
  refused(fields: ErrorFields, isByLeader: boolean): void {
    if (this.refusal === undefined || isByLeader) this.refusal = fields;
  }

  /** It was refused for what passes: the server is starting, stopping, full, or a connection broke. */
  get isRefusalPassing(): boolean {
    const code = this.refusal?.code ?? '';
    return code.startsWith('57') || code.startsWith('08') || code === SQLSTATE.tooManyConnections;
  }

  /** This member has failed it: another is to be chosen. */
  exclude(member: string): void {
    this.excluded.add(member);
    this.member = undefined;
  }

  /** All are tried again. */
  forgive(): void {
    this.excluded.clear();
    this.lastResort = undefined;
  }

  sendOn(link: Link): void {
    this.phase = 'sent';
    this.sentFor = this.need;
    this.link = link;
  }

  /** Back to choosing, with another server. */
  again(): void {
    this.phase = 'placing';
    this.link = undefined;
    this.member = undefined;
    this.attempts += 1;
    this.completions = 0;
    this.completed = 0;
    this.preamble = [];
  }

  #empty(): void {
    if (this.preamble.length > 0) this.preamble = [];
    if (this.settings.length > 0) this.settings = [];
    if (this.sets.length > 0) this.sets = [];
    if (this.excluded.size > 0) this.excluded.clear();
    this.#dropMessages();
  }

  #dropMessages(): void {
    this.messages.clear();
    // Not by their length, which is a call into the runtime.
    while (this.statements.length > 0) this.statements.pop();
    while (this.mentions.length > 0) this.mentions.pop();
  }
}
