/**
 * The prepared statements of a client, by the client's name, and which name each has at servers. Bounded: of what is
 * prepared past the bound no copy is kept, and the session stays with the server that has it. What a Parse or Close changes is taken back if the server skips
 * it after an error, since then it never happened. Pure.
 */
import { type Classification, type Classifier, isOwnType } from '../sql/index.ts';
import { isHead, Parse, readParseText } from '../wire/index.ts';
import { cutName } from './name.ts';
import { intentOf } from './route.ts';
import type { ServerNames } from './server-names.ts';
import type { ServerStatements } from './server-statements.ts';
import { isMomentary, type Statement } from './statement.ts';

/** Copies that are kept for one client, so that its statements can be brought to any server. */
export interface PreparedLimits {
  readonly statementsMax: number;
  readonly bytesMax: number;
}

/** More than drivers keep (pgjdbc 256, npgsql 20, asyncpg 100); some 200 bytes each beside the text. */
export const PREPARED_LIMITS: PreparedLimits = { statementsMax: 5000, bytesMax: 8 * 1024 * 1024 };

/** Tag and length of a message. */
const HEADER_BYTES = 5;

const NO_NAME = Buffer.alloc(0);
const NO_TYPES: readonly number[] = [];

/** A longer Parse is read each time it comes: idle sessions are many, and are to be small. */
const LAST_BYTES_MAX = 4 * 1024;

interface ReadParse {
  readonly name: string;
  readonly copy: Buffer;
  readonly classification: Classification;
  readonly types: readonly number[];
}

interface Change {
  readonly name: string;
  readonly previous: Statement | undefined;
  /** All but the unnamed statement were forgotten, by DISCARD ALL or DEALLOCATE ALL: these. */
  readonly all?: ReadonlyMap<string, Statement>;
  readonly isDiscard?: boolean;
}

export class PreparedStatements {
  readonly #classifier: Classifier;
  readonly #limits: PreparedLimits;
  readonly #serverNames: ServerNames;
  readonly #byName = new Map<string, Statement>();
  #bytes = 0;
  /** The Parse that was read last. */
  #last: ReadParse | undefined = undefined;
  /** Changes of the unit at work, oldest first; the server has confirmed the first `#confirmed` of them. */
  readonly #changes: Change[] = [];
  #confirmed = 0;

  constructor(classifier: Classifier, serverNames: ServerNames, limits: PreparedLimits) {
    this.#classifier = classifier;
    this.#serverNames = serverNames;
    this.#limits = limits;
  }

  /** How many the client has. */
  get size(): number {
    return this.#byName.size;
  }

  get(name: string): Statement | undefined {
    return this.#byName.get(cutName(name));
  }

  /** What SQL's PREPARE is about to make; undefined: there is no room to keep it. */
  make(name: string, sql: string): Statement | undefined {
    const message = Parse({ name, sql, parameterTypes: [] });
    if (!this.#hasRoomFor(message)) return undefined;
    const classification = this.#classifier.classify(sql);
    const types = NO_TYPES;
    return this.#unnamedAtServers({
      name,
      message,
      classification,
      types,
      replaces: undefined,
      isKept: true,
    });
  }

  /** It is made, at a server that is not to keep it under the client's name. */
  keep(statement: Statement, at: Pick<ServerStatements, 'madeBySql'>): void {
    this.#set(statement.name, statement);
    at.madeBySql(statement.name);
  }

  parse(message: Buffer): Statement {
    const isLong = isHead(message);
    const { name, copy, classification, types } = this.#read(message);
    const replaces = this.get(name);
    const statement = this.#unnamedAtServers({
      name,
      message: copy,
      classification,
      types,
      replaces: name === '' ? undefined : replaces,
      isKept: name === '' ? !isLong : replaces !== undefined || (!isLong && this.#hasRoomFor(message)),
    });
    this.#changes.push({ name, previous: replaces });
    if (name === '' || (replaces === undefined && statement.isKept)) this.#set(name, statement);
    return statement;
  }

  /** Servers have no name for it yet. */
  #unnamedAtServers(
    known: Pick<Statement, 'name' | 'message' | 'classification' | 'types' | 'replaces' | 'isKept'>,
  ): Statement {
    const { name, message, classification, types, replaces, isKept } = known;
    return {
      name,
      message,
      classification,
      types,
      intent: intentOf(classification),
      replaces,
      isKept,
      isMomentary: isMomentary(classification),
      epoch: this.#serverNames.epoch,
      firstName: '',
      serverName: '',
      serverNameBytes: NO_NAME,
      namedFor: undefined,
    };
  }

  /** What the message says. Drivers without names send the same again and again: then nothing is read anew. */
  #read(message: Buffer): ReadParse {
    if (this.#last?.copy.equals(message) === true) return this.#last;
    const { name: called, start, end } = readParseText(message);
    const name = cutName(called);
    const classification = this.#classifier.classifyBytes(message, start, end);
    // It outlives the chunk that its message arrived in.
    const types = isHead(message) ? NO_TYPES : ownTypesBehind(message, end);
    const read = { name, copy: Buffer.from(message), classification, types };
    const isAnswerFinal = classification.because !== 'grammar-not-ready';
    this.#last = isAnswerFinal && message.length <= LAST_BYTES_MAX ? read : undefined;
    return read;
  }

  /** Gives the statement its name at servers under these settings. */
  nameFor(statement: Statement, planningKey: string): void {
    if (statement.name === '' || !statement.isKept || statement.namedFor === planningKey) return;
    const { message, epoch } = statement;
    const body = message.toString('latin1', message.indexOf(0, HEADER_BYTES) + 1);
    statement.serverName = this.#serverNames.nameOf(body, planningKey, epoch);
    statement.serverNameBytes = Buffer.from(statement.serverName);
    if (statement.firstName === '') statement.firstName = statement.serverName;
    statement.namedFor = planningKey;
  }

  /** Counts changes of definitions. */
  get epoch(): number {
    return this.#serverNames.epoch;
  }

  /** The text speaks of a statement by its name at servers. */
  speaksOfServers(text: string): boolean {
    return this.#serverNames.findIn(text) !== undefined;
  }

  /** The same text with the client's own name in place of the server's; `used` are statements of the unit. */
  inClientsWords(text: string, used: readonly (Statement | undefined)[]): string {
    const serverName = this.#serverNames.findIn(text);
    if (serverName === undefined) return text;
    const found = [...used, ...this.#byName.values()].find(
      (statement) => statement?.serverName === serverName,
    );
    return found === undefined ? text : text.replaceAll(serverName, found.name);
  }

  /** The statement was prepared before a change of definitions that was seen: its own plan is stale at any server. */
  isOfEarlier(statement: Statement): boolean {
    return statement.epoch < this.#serverNames.epoch;
  }

  /** The server's copy no longer fits the definitions: it gets another. */
  renew(statement: Statement): void {
    this.#serverNames.definitionsChanged();
    this.refresh(statement);
  }

  /** It is as if it were prepared now: its client is told the columns anew. */
  refresh(statement: Statement): void {
    statement.epoch = this.#serverNames.epoch;
    statement.firstName = '';
    statement.namedFor = undefined;
  }

  close(called: string): void {
    const name = cutName(called);
    this.#changes.push({ name, previous: this.#byName.get(name) });
    this.#set(name, undefined);
  }

  /** A simple query ends the unnamed statement, as in PostgreSQL: where something is before it, if that does not fail. */
  forgetUnnamed(isInBatch: boolean): void {
    if (isInBatch) this.close('');
    else if (this.#byName.has('')) this.#set('', undefined);
  }

  /** SQL has forgotten all; the unnamed statement is none of them. */
  forgetAll(): void {
    for (const name of Array.from(this.#byName.keys())) if (name !== '') this.#set(name, undefined);
  }

  /** SQL that forgets a statement (undefined: all) is about to be run by an Execute. */
  willForget(name: string | undefined, isDiscard: boolean): void {
    if (name !== undefined) {
      this.close(name);
      return;
    }
    this.#changes.push({ name: '', previous: undefined, all: new Map(this.#byName), isDiscard });
    this.forgetAll();
  }

  /** DISCARD ALL was run in the unit, whatever became of the rest. */
  get hasDiscarded(): boolean {
    return this.#changes.some(({ isDiscard }, index) => isDiscard === true && index < this.#confirmed);
  }

  /** The oldest unconfirmed change happened. */
  confirm(): void {
    this.#confirmed += 1;
  }

  /**
   * The unconfirmed changes did not happen. `isReached`: the oldest is of a message that failed itself, a Parse or a simple
   * query; then the unnamed statement is gone all the same.
   */
  takeBack(isReached = false): void {
    const oldest = this.#changes[this.#confirmed];
    while (this.#changes.length > this.#confirmed) {
      const change = this.#changes.pop();
      if (change?.all !== undefined) this.#restore(change.all);
      else if (change !== undefined) this.#set(change.name, change.previous);
    }
    if (isReached && oldest?.name === '') this.#set('', undefined);
  }

  /** The unit is to be run again, from its beginning. */
  restart(): void {
    this.#confirmed = 0;
  }

  /** The unit is over: what happened has happened. */
  settle(): void {
    // Not by its length, which is a call into the runtime.
    while (this.#changes.length > 0) this.#changes.pop();
    this.#confirmed = 0;
  }

  /** SQL has forgotten it. */
  forget(name: string): void {
    this.#set(name, undefined);
  }

  #restore(all: ReadonlyMap<string, Statement>): void {
    this.forgetAll();
    for (const [name, statement] of all) this.#set(name, statement);
  }

  #hasRoomFor(message: Buffer): boolean {
    const { statementsMax, bytesMax } = this.#limits;
    return this.#byName.size < statementsMax && this.#bytes + message.length <= bytesMax;
  }

  #set(name: string, statement: Statement | undefined): void {
    this.#bytes -= this.#byName.get(name)?.message.length ?? 0;
    if (statement === undefined) this.#byName.delete(name);
    else {
      this.#byName.set(name, statement);
      this.#bytes += statement.message.length;
    }
  }
}

/** Types of parameters, given behind the text, that are not built in. */
function ownTypesBehind(message: Buffer, textEnd: number): readonly number[] {
  const start = textEnd + 1;
  const count = message.readUInt16BE(start);
  if (count === 0) return NO_TYPES;
  const types = Array.from({ length: count }, (_, index) => message.readUInt32BE(start + 2 + 4 * index));
  return types.some(isOwnType) ? types.filter(isOwnType) : NO_TYPES;
}
