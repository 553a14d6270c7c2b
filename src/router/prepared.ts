/**
 * The prepared statements of a client, by the client's name, and which name each has at servers. Bounded: of what is
 * prepared past the bound no copy is kept, and the session stays with the server that has it. What a Parse or Close changes is taken back if the server skips
 * it after an error, since then it never happened. Pure.
 */
import type { Classifier } from '../sql/index.ts';
import { readParseText } from '../wire/index.ts';
import { intentOf } from './route.ts';
import type { ServerNames } from './server-names.ts';
import type { Statement } from './statement.ts';

/** Copies that are kept for one client, so that its statements can be brought to any server. */
export interface PreparedLimits {
  readonly statementsMax: number;
  readonly bytesMax: number;
}

/** More than drivers keep (pgjdbc 256, npgsql 20, asyncpg 100); some 200 bytes each beside the text. */
export const PREPARED_LIMITS: PreparedLimits = { statementsMax: 5000, bytesMax: 8 * 1024 * 1024 };

/** Tag and length of a message. */
const HEADER_BYTES = 5;

interface Change {
  readonly name: string;
  readonly previous: Statement | undefined;
}

export class PreparedStatements {
  readonly #classifier: Classifier;
  readonly #limits: PreparedLimits;
  readonly #serverNames: ServerNames;
  readonly #byName = new Map<string, Statement>();
  #bytes = 0;
  /** Changes that the server has not confirmed, oldest first. */
  readonly #unconfirmed: Change[] = [];

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
    return this.#byName.get(name);
  }

  parse(message: Buffer): Statement {
    const { name, start, end } = readParseText(message);
    const classification = this.#classifier.classifyBytes(message, start, end);
    const replaces = this.#byName.get(name);
    const statement: Statement = {
      name,
      // It outlives the chunk that its message arrived in.
      message: Buffer.from(message),
      classification,
      intent: intentOf(classification),
      replaces: name === '' ? undefined : replaces,
      isKept: name === '' || replaces !== undefined || this.#hasRoomFor(message),
      epoch: this.#serverNames.epoch,
      serverName: '',
      namedFor: undefined,
    };
    this.#unconfirmed.push({ name, previous: replaces });
    if (name === '' || (replaces === undefined && statement.isKept)) this.#set(name, statement);
    return statement;
  }

  /** Gives the statement its name at servers under these settings. */
  nameFor(statement: Statement, planningKey: string): void {
    if (statement.name === '' || statement.namedFor === planningKey) return;
    const { message, epoch } = statement;
    const body = message.toString('latin1', message.indexOf(0, HEADER_BYTES) + 1);
    statement.serverName = this.#serverNames.nameOf(body, planningKey, epoch);
    statement.namedFor = planningKey;
  }

  /** The server's copy no longer fits the definitions: it gets another. */
  renew(statement: Statement): void {
    this.#serverNames.definitionsChanged();
    statement.epoch = this.#serverNames.epoch;
    statement.namedFor = undefined;
  }

  close(name: string): void {
    this.#unconfirmed.push({ name, previous: this.#byName.get(name) });
    this.#set(name, undefined);
  }

  /** A simple query ends the unnamed statement, as in PostgreSQL. */
  forgetUnnamed(): void {
    if (this.#byName.has('')) this.#set('', undefined);
  }

  forgetAll(): void {
    this.#byName.clear();
    this.#bytes = 0;
    this.#unconfirmed.length = 0;
  }

  /** The oldest unconfirmed change happened. */
  confirm(): void {
    this.#unconfirmed.shift();
  }

  /** The unconfirmed changes did not happen. */
  takeBack(): void {
    for (let change = this.#unconfirmed.pop(); change !== undefined; change = this.#unconfirmed.pop()) {
      this.#set(change.name, change.previous);
    }
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
