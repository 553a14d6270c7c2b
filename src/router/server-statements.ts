/**
 * Which prepared statements one server connection has, and how a client's messages about its own are changed on their
 * way: a named statement has at the server a name that all sessions share (server-names.ts), is brought to the connection
 * where it is missing, ahead of what uses it, and stays when its client closes it. The least used is closed, by a real
 * Close, for a new one. What a Parse or Close changes is taken back if the server skips it after an error, since then it
 * never happened. Pure.
 */
import { RingQueue } from '../base/index.ts';
import {
  Bind,
  Close,
  Describe,
  Execute,
  Parse,
  readBindNames,
  readDescribe,
  Sync,
  withBindStatement,
  withParseName,
} from '../wire/index.ts';
import { type Pipeline, REQUEST, type Request } from './pipeline.ts';
import type { ServerNames } from './server-names.ts';
import type { Statement } from './statement.ts';
import type { Tally } from './tally.ts';
import { ToldColumns } from './told-columns.ts';

/** What is under a name at the server; of the unnamed statement, whose it is. Compared by identity. */
type Kept = Statement | typeof SHARED | typeof STRAY;
/** A statement that sessions share. */
const SHARED = Symbol('shared');
/** A statement that is nobody's, or is here for one unit of its client's work: to be closed. */
const STRAY = Symbol('stray');

const NO_NAME = Buffer.alloc(0);
/** Of a statement and a portal for a question of our own. */
const OWN_NAME = 'matriarch own';
/** The name of a statement that nobody prepares. */
export const NOBODYS = 'matriarch none';
const NOBODYS_BYTES = Buffer.from(NOBODYS);

interface Undo {
  readonly name: string;
  readonly previous: Kept | undefined;
  readonly isClients: boolean;
  /** Everything but the unnamed statement went. */
  readonly all?: ReadonlyMap<string, Kept>;
}

export interface ServerStatementsOptions {
  readonly pipeline: Pipeline;
  readonly write: (bytes: Buffer) => void;
  readonly statementsMax: number;
  readonly names: Pick<ServerNames, 'shapeOf' | 'learn'>;
  readonly tally: Tally;
}

export class ServerStatements {
  readonly #options: ServerStatementsOptions;
  /** By the server's name, the least used first. */
  readonly #byName = new Map<string, Kept>();
  /** What was put there last; to use it again changes no order. */
  #latest = '';
  /** What was sent and not confirmed, oldest first. */
  readonly #unconfirmed = new RingQueue<Undo>();
  #hasStrays = false;
  /** The unnamed statement may be one that is good for this unit of work only. */
  #isUnnamedMomentary = false;
  /** What the client's Binds and Describes use that are not answered, oldest first. */
  readonly #uses = new RingQueue<Statement | undefined>();
  /** What the server has told of them. */
  readonly columns: ToldColumns;
  /** What the message used that has failed last, if it was one of these. */
  failed: Statement | undefined = undefined;

  constructor(options: ServerStatementsOptions) {
    this.#options = options;
    this.columns = new ToldColumns(options.names);
  }

  get size(): number {
    return this.#byName.size;
  }

  /** A simple query ends the unnamed statement. */
  forgetUnnamed(): void {
    this.#byName.delete('');
  }

  /** The server has forgotten all: DISCARD ALL or DEALLOCATE ALL, which leave the unnamed statement. */
  forgetAll(): void {
    const unnamed = this.#byName.get('');
    this.#byName.clear();
    if (unnamed !== undefined) this.#byName.set('', unnamed);
  }

  /** SQL of the client has forgotten what stood under its own name. */
  forgetName(name: string): void {
    this.#byName.delete(name);
  }

  /** The server has lost it: somebody's DEALLOCATE in a function, say. */
  forget(statement: Statement): void {
    this.#byName.delete(statement.serverName);
  }

  /** Sends the client's Parse of `statement`. */
  parse(message: Buffer, statement: Statement): void {
    const { name, serverName, serverNameBytes } = statement;
    if (name === '') {
      this.#note('', statement, true);
      this.#isUnnamedMomentary ||= statement.isMomentary;
      this.#forward(message, REQUEST.parse);
    } else if (statement.replaces !== undefined) this.#parseAgain(message, name);
    else if (!statement.isKept) {
      // The server has it from here on under the client's name; nobody else does, and nobody brings it here again.
      this.#note(name, undefined, true);
      this.#forward(message, REQUEST.parse);
    } else if (statement.isMomentary) {
      if (this.#byName.has(serverName)) this.#closeStale(serverName);
      this.#noteForUnit(serverName, true);
      this.#forward(withParseName(message, serverNameBytes), REQUEST.parse);
    } else if (this.#byName.has(serverName)) {
      // Another session has prepared it: the server judges this Parse all the same, but need not keep it.
      this.#note('', STRAY, true);
      this.#forward(withParseName(message, NO_NAME), REQUEST.parse);
    } else {
      this.#makeRoom();
      this.#options.tally.serverParses += 1;
      this.#note(serverName, SHARED, true);
      this.#forward(withParseName(message, serverNameBytes), REQUEST.parse);
      this.#learn(serverName);
    }
  }

  /** Sends a Bind, or a Describe of a statement; `statement` is what the session knows under its name. */
  use(message: Buffer, request: Request, statement: Statement | undefined): void {
    this.#uses.push(statement);
    if (statement === undefined) {
      if (this.#byName.size > 0) this.#forgetUnknown(message, request);
      this.#forward(message, request);
      return;
    }
    const { name, serverName, serverNameBytes } = statement;
    this.#ensure(statement);
    if (name === '') this.#forward(message, request);
    else if (request === REQUEST.bind) this.#forward(withBindStatement(message, serverNameBytes), request);
    else this.#forward(Describe('statement', serverName), request);
  }

  /**
   * Whether the statement has the columns here that its client knows. `isStale`: definitions have changed since it was
   * prepared, so a copy that is made now may have others; of one that is there the server itself sees to it.
   */
  compare({ firstName, serverName }: Statement, isStale: boolean): 'same' | 'other' | 'unknown' {
    const { names } = this.#options;
    const known = names.shapeOf(firstName);
    if (known === undefined) return 'same';
    const isHere = this.#byName.get(serverName) === SHARED;
    if (serverName === firstName) return isHere || !isStale ? 'same' : 'unknown';
    const shape = names.shapeOf(serverName);
    if (shape === undefined || (isStale && !isHere)) return 'unknown';
    return shape === known ? 'same' : 'other';
  }

  /** Prepares the statement, if it is not here, and asks for its columns: a question of our own. */
  lookAt(statement: Statement): void {
    const { serverName, serverNameBytes, message } = statement;
    this.columns.look();
    if (this.#byName.get(serverName) !== SHARED) {
      this.#makeRoom();
      this.#note(serverName, SHARED, false);
      this.#options.tally.serverParses += 1;
      this.#swallow(withParseName(message, serverNameBytes), REQUEST.parse);
    }
    this.#describe(serverName);
    this.#swallow(Sync(), REQUEST.sync);
  }

  /** What was looked at has the columns that its client knows; else it is not to be used under this name by anybody. */
  isAsKnown({ firstName, serverName }: Statement): boolean {
    const seen = this.columns.takeSeen(serverName);
    if (seen === undefined) return false;
    if (seen === this.#options.names.shapeOf(firstName)) return true;
    if (serverName === firstName) this.#closeStale(serverName);
    return false;
  }

  /** Sends the client's Bind so that it fails: the statement is not what the client takes it for. */
  refuse(message: Buffer, statement: Statement): void {
    this.#uses.push(statement);
    this.#forward(withBindStatement(message, NOBODYS_BYTES), REQUEST.bind);
  }

  /** Sends the client's Close of a statement; what sessions share stays, and what is closed instead is nobody's. */
  close(message: Buffer, name: string, isKept: boolean): void {
    const isShared = isKept || this.#byName.has(name);
    this.#note(isShared ? '' : name, undefined, true);
    this.#forward(isShared && name !== '' ? Close('statement', '') : message, REQUEST.close);
  }

  /** Sends the client's Execute of SQL that forgets the statement under a name of its own; undefined: all. */
  executeForgetting(message: Buffer, name: string | undefined): void {
    if (name === undefined) {
      this.#unconfirmed.push({ name: '', previous: undefined, isClients: true, all: new Map(this.#byName) });
      this.forgetAll();
    } else this.#note(name, undefined, true);
    this.#forward(message, REQUEST.forget);
  }

  /** Sends the client's Close of a portal, which is answered like that of a statement and changes none. */
  closePortal(message: Buffer): void {
    this.#note('', this.#byName.get(''), false);
    this.#forward(message, REQUEST.close);
  }

  /**
   * Makes a statement known under the client's own name too, for one unit of work: SQL's EXECUTE and DEALLOCATE name it
   * so. `isBatch`: it is among the extended protocol, where a Sync of ours would end what the server skips after an error.
   */
  lend({ name, message }: Pick<Statement, 'name' | 'message'>, isBatch: boolean): void {
    if (this.#byName.has(name)) return;
    this.#note(name, STRAY, false);
    this.#hasStrays = true;
    this.#swallow(message, REQUEST.parse);
    if (!isBatch) this.#swallow(Sync(), REQUEST.sync);
  }

  /** SQL of the client has prepared something under its own name, which the session keeps: here it is nobody's. */
  madeBySql(name: string): void {
    this.#byName.set(name, STRAY);
    this.#hasStrays = true;
  }

  /** A unit of work is over: closes what was here for it alone; true: replies of our own are owed now. */
  closeStrays(): boolean {
    if (this.#isUnnamedMomentary) this.#disown();
    if (!this.#hasStrays) return false;
    this.#hasStrays = false;
    for (const [name, kept] of this.#byName) if (kept === STRAY && name !== '') this.#closeStale(name);
    this.#swallow(Sync(), REQUEST.sync);
    return true;
  }

  /**
   * Asks a question of our own, under names of our own: a simple query would end the client's unnamed statement, of which
   * there may be no copy, and its unnamed portal. Closes first what is left of one that failed.
   */
  ask(sql: string): void {
    this.#closeStale(OWN_NAME);
    this.#note(OWN_NAME, STRAY, false);
    this.#swallow(Parse({ name: OWN_NAME, sql, parameterTypes: [] }), REQUEST.parse);
    this.#swallow(Bind({ portal: OWN_NAME, statement: OWN_NAME }), REQUEST.bind);
    this.#swallow(Execute(OWN_NAME, 0), REQUEST.execute);
    this.#note('', this.#byName.get(''), false);
    this.#swallow(Close('portal', OWN_NAME), REQUEST.close);
    this.#closeStale(OWN_NAME);
    this.#swallow(Sync(), REQUEST.sync);
  }

  /** The oldest Bind or Describe of a statement has been answered. */
  used(): void {
    this.#uses.shift();
  }

  /** The oldest change that is not confirmed has happened; true: it was the client's. */
  confirm(): boolean {
    return this.#unconfirmed.shift()?.isClients === true;
  }

  /**
   * After an error the server has skipped these. `isParse`: the oldest was refused; then the server has done away with an
   * unnamed statement that it was to replace.
   */
  takeBack(isParse: boolean): void {
    const oldest = this.#unconfirmed.peek();
    this.failed = this.#uses.shift();
    while (this.#uses.size > 0) this.#uses.shift();
    this.columns.skipped();
    for (let undo = this.#unconfirmed.pop(); undo !== undefined; undo = this.#unconfirmed.pop()) {
      if (undo.all !== undefined) this.#restore(undo.all);
      else if (undo.previous === undefined) this.#byName.delete(undo.name);
      else this.#keep(undo.name, undo.previous);
    }
    if (isParse && oldest?.name === '') this.#byName.delete('');
  }

  #restore(all: ReadonlyMap<string, Kept>): void {
    this.#byName.clear();
    for (const [name, kept] of all) this.#keep(name, kept);
  }

  #forward(message: Buffer, request: Request): void {
    this.#options.pipeline.expect(request, 'forward');
    this.#options.write(message);
  }

  #swallow(message: Buffer, request: Request): void {
    this.#options.pipeline.expect(request, 'swallow');
    this.#options.write(message);
  }

  /** The client prepares a name that it has prepared: the server is to say so itself, and in its words. */
  #parseAgain(message: Buffer, name: string): void {
    if (this.#byName.get(name) !== STRAY) {
      this.#note(name, STRAY, false);
      this.#swallow(Parse({ name, sql: '', parameterTypes: [] }), REQUEST.parse);
      this.#hasStrays = true;
    }
    this.#note(name, STRAY, true);
    this.#forward(message, REQUEST.parse);
  }

  /** Brings a statement to this connection, ahead of what uses it, unless it has it. */
  #ensure(statement: Statement): void {
    const { name, serverName, serverNameBytes, message } = statement;
    const kept = this.#byName.get(serverName);
    if (name === '') {
      if (kept === statement || !statement.isKept) return;
      this.#note('', statement, false);
      this.#isUnnamedMomentary ||= statement.isMomentary;
      this.#swallow(message, REQUEST.parse);
      return;
    }
    if (statement.isMomentary) {
      if (kept !== undefined) return;
      this.#noteForUnit(serverName, false);
      this.#swallow(withParseName(message, serverNameBytes), REQUEST.parse);
      return;
    }
    if (kept === SHARED) {
      if (serverName === this.#latest) return;
      this.#byName.delete(serverName);
      this.#keep(serverName, SHARED);
      return;
    }
    this.#makeRoom();
    this.#note(serverName, SHARED, false);
    this.#options.tally.serverParses += 1;
    this.#swallow(withParseName(message, serverNameBytes), REQUEST.parse);
    this.#learn(serverName);
  }

  /** A statement is parsed that is to be here for this unit of work only. */
  #noteForUnit(serverName: string, isClients: boolean): void {
    this.#options.tally.serverParses += 1;
    this.#note(serverName, STRAY, isClients);
    this.#hasStrays = true;
  }

  /** A momentary unnamed statement is nobody's from here on: whoever comes back to it parses it anew, and nobody else finds it. */
  #disown(): void {
    this.#isUnnamedMomentary = false;
    const unnamed = this.#byName.get('');
    if (typeof unnamed === 'object' && unnamed.isMomentary) this.#byName.set('', STRAY);
  }

  /** Asks for the columns of what was just prepared, unless they are known. */
  #learn(serverName: string): void {
    if (this.#options.names.shapeOf(serverName) === undefined) this.#describe(serverName);
  }

  #describe(serverName: string): void {
    this.columns.ask(serverName);
    this.#uses.push(undefined);
    this.#swallow(Describe('statement', serverName), REQUEST.describe);
  }

  /** Closes the statement that was not used for longest, if there are as many as may be. */
  #makeRoom(): void {
    if (this.#byName.size < this.#options.statementsMax) return;
    for (const name of this.#byName.keys()) {
      if (name === '') continue;
      this.#closeStale(name);
      return;
    }
  }

  #closeStale(name: string): void {
    this.#note(name, undefined, false);
    this.#swallow(Close('statement', name), REQUEST.close);
  }

  /** The session does not know the statement, so it must not be found here either. */
  #forgetUnknown(message: Buffer, request: Request): void {
    const name = request === REQUEST.bind ? readBindNames(message).statement : readDescribe(message).name;
    if (this.#byName.has(name)) this.#closeStale(name);
  }

  #note(name: string, kept: Kept | undefined, isClients: boolean): void {
    this.#unconfirmed.push({ name, previous: this.#byName.get(name), isClients });
    if (kept === undefined) this.#byName.delete(name);
    else this.#keep(name, kept);
  }

  #keep(name: string, kept: Kept): void {
    this.#byName.set(name, kept);
    this.#latest = name;
  }
}
