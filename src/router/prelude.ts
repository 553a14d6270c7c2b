/**
 * A transaction that its client has begun and no server knows of yet: BEGIN is answered here, and travels with the first
 * statement, in the same round trip, to the node that this statement and the transaction need. SET TRANSACTION belongs to
 * it, and a COMMIT or ROLLBACK at once ends it without a server. What is answered here is only what cannot fail: alone in
 * its text, or alone in its batch of the extended protocol, in the plainest form. Anything else goes to a server. Pure.
 */
import type { Freshness, Route } from '../routing/index.ts';
import type { Classification, TransactionOptions } from '../sql/index.ts';
import {
  BindComplete,
  CommandComplete,
  FRONTEND,
  isHead,
  NoData,
  ParameterDescription,
  ParseComplete,
  readBind,
  readBindFormats,
  readDescribe,
  readExecute,
  readParse,
  readQuery,
  type TransactionStatus,
} from '../wire/index.ts';
import type { Need } from './route.ts';
import type { Unit } from './unit.ts';
import { isAboutTransaction } from './unit-facts.ts';

/** What was said is sent again for each try: it is kept short. */
const TEXT_LENGTH_MAX = 4096;
/** What the first statement has made of the transaction, where that decides. */
const READ_ONLY = 'SET TRANSACTION READ ONLY';

/** What the client is told, before the ReadyForQuery. */
export interface OwnAnswer {
  readonly replies: readonly Buffer[];
  readonly status: TransactionStatus;
}

/** What the session says of a unit of work. */
export interface PreludeContext {
  readonly status: TransactionStatus;
  /** Transactions that do not say what they are only read. */
  readonly isReadOnlyByDefault: boolean;
}

export class Prelude {
  #text: string | undefined = undefined;
  #isReadOnly = false;
  #saysAccess = false;
  #saysIsolation = false;
  /** It names, be it for a moment, what a standby refuses. */
  #needsPrimary = false;
  #isDecided = false;
  #wish: Route | undefined = undefined;
  #freshness: Freshness | undefined = undefined;

  /** A BEGIN was answered and not sent. */
  get isOpen(): boolean {
    return this.#text !== undefined;
  }

  /** Where the transaction must run, as far as it has said. */
  get need(): Need {
    return this.#isReadOnly && !this.#needsPrimary ? 'read' : 'primary';
  }

  /** Nothing that was said asks for the primary: its first statement may decide. */
  get isUndecided(): boolean {
    return !this.#saysAccess && !this.#needsPrimary && !this.#isReadOnly;
  }

  /** It is as isolated as it says, whatever the session's default. */
  get saysIsolation(): boolean {
    return this.#saysIsolation;
  }

  /** What must be sent ahead of the first statement. */
  get text(): string | undefined {
    return this.#text === undefined || !this.#isDecided ? this.#text : `${this.#text}\n;${READ_ONLY}`;
  }

  /** Its first statement has made the last transaction READ ONLY. */
  get isDecided(): boolean {
    return this.#isDecided;
  }

  /** The first statement reads, and that makes the transaction READ ONLY. */
  decide(): void {
    this.#isDecided = true;
    this.#isReadOnly = true;
  }

  /** Where it is wished to run, by its BEGIN. */
  wish(route: Route | undefined, freshness: Freshness | undefined): void {
    this.#wish = route;
    this.#freshness = freshness;
    if (route?.kind === 'primary') this.#needsPrimary = true;
  }

  /** How fresh it is wished to read. */
  get freshness(): Freshness | undefined {
    return this.#freshness;
  }

  get wished(): Route | undefined {
    return this.#wish;
  }

  /** A server has been told, or the transaction is over. */
  end(): void {
    this.#text = undefined;
  }

  /** The answer to a unit that is only about the transaction; undefined: a server is to answer it. */
  answer(unit: Unit, found: Classification | undefined, context: PreludeContext): OwnAnswer | undefined {
    const message = unit.messages.at(0);
    if (unit.kind === 'query') {
      if (found === undefined || message === undefined) return undefined;
      const said = this.#say(found, readQuery(message), context);
      return said === undefined ? undefined : { replies: [CommandComplete(said.tag)], status: said.status };
    }
    return unit.kind === 'batch' && unit.isClosed ? this.#batch(unit, context) : undefined;
  }

  #batch(unit: Unit, context: PreludeContext): OwnAnswer | undefined {
    const { statements } = unit;
    const messages = unit.messages.all();
    const replies: Buffer[] = [];
    let bound: Classification | undefined;
    let status = context.status;
    let text = '';
    // First the plain form of all of it; what is said counts at the end.
    for (const [index, message] of messages.entries()) {
      const statement = statements[index];
      const found = statement?.classification;
      if (isHead(message)) return undefined;
      switch (message[0]) {
        case FRONTEND.Parse:
          if (statement === undefined || !isAbout(found) || !statement.isKept) return undefined;
          if (statement.replaces !== undefined || readParse(message).parameterTypes.length > 0)
            return undefined;
          replies.push(ParseComplete());
          break;
        case FRONTEND.Bind:
          if (statement === undefined || !isAbout(found) || bound !== undefined) return undefined;
          if (readBind(message).portal !== '' || readBindFormats(message).parameters > 0) return undefined;
          if (readParse(statement.message).parameterTypes.length > 0) return undefined;
          bound = found;
          text = readParse(statement.message).sql;
          replies.push(BindComplete());
          break;
        case FRONTEND.Describe: {
          const described = readDescribe(message);
          if (described.kind === 'portal' ? bound === undefined || described.name !== '' : !isAbout(found))
            return undefined;
          if (described.kind === 'statement') replies.push(ParameterDescription([]));
          replies.push(NoData());
          break;
        }
        case FRONTEND.Execute: {
          if (bound === undefined || readExecute(message).portal !== '' || text === '') return undefined;
          if (messages[index + 1]?.[0] !== FRONTEND.Sync) return undefined;
          const said = this.#say(bound, text, context);
          if (said === undefined) return undefined;
          replies.push(CommandComplete(said.tag));
          ({ status } = said);
          break;
        }
        case FRONTEND.Sync:
          break;
        case undefined:
        default:
          return undefined;
      }
    }
    return { replies, status };
  }

  #say(found: Classification, text: string, context: PreludeContext): Said | undefined {
    switch (found.kind) {
      case 'begin':
        if (context.status !== 'I' || text.length > TEXT_LENGTH_MAX) return undefined;
        this.#begin(text, found.transaction, context);
        return { tag: found.isStart === true ? 'START TRANSACTION' : 'BEGIN', status: 'T' };
      case 'read': {
        const isMore = this.#text !== undefined && found.transaction !== undefined && found.isPlain === true;
        if (!isMore || found.transaction === undefined) return undefined;
        const whole = `${this.#text}\n;${text}`;
        if (whole.length > TEXT_LENGTH_MAX) return undefined;
        this.#text = whole;
        this.#option(found.transaction);
        return { tag: 'SET', status: 'T' };
      }
      case 'end':
        if (this.#text === undefined || found.outcome === 'prepare') return undefined;
        // The next transaction of a chain has the same options, and is as little begun as this.
        if (!found.chain) this.end();
        return { tag: found.outcome === 'commit' ? 'COMMIT' : 'ROLLBACK', status: found.chain ? 'T' : 'I' };
      case 'write':
      case 'set':
      case 'session':
      case 'empty':
        return undefined;
    }
    return undefined;
  }

  #begin(text: string, options: TransactionOptions, { isReadOnlyByDefault }: PreludeContext): void {
    this.#text = text;
    this.#isReadOnly = isReadOnlyByDefault;
    this.#saysAccess = false;
    this.#saysIsolation = false;
    this.#needsPrimary = false;
    this.#isDecided = false;
    this.#wish = undefined;
    this.#freshness = undefined;
    this.#option(options);
  }

  #option({ access, isolation }: TransactionOptions): void {
    if (access !== 'default') {
      this.#isReadOnly = access === 'read-only';
      this.#saysAccess = true;
    }
    if (isolation !== 'default') this.#saysIsolation = true;
    if (access === 'read-write' || isolation === 'serializable') this.#needsPrimary = true;
  }
}

interface Said {
  readonly tag: string;
  readonly status: TransactionStatus;
}

const isAbout = (found: Classification | undefined): boolean =>
  found !== undefined && isAboutTransaction(found);
