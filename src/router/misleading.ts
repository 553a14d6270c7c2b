/**
 * What a standby would do without a word, though only the primary is right: an advisory lock that excludes nobody, a signal
 * to another's process. As the first statement it takes its transaction to the primary; in a READ ONLY transaction that is
 * at a standby already it is refused. The server is sent what fails there, so that the transaction fails as by any error:
 * savepoints hold, and what of the batch stands before it is done. Pure.
 *
 *     Bind -> of a statement that nobody has        Query -> EXECUTE of it        the error -> our words
 */
import { type Classification, type Misleading, misleadingIn } from '../sql/index.ts';
import { type ErrorFields, FRONTEND, Query } from '../wire/index.ts';
import type { Link } from './link.ts';
import { NESTING_MAX } from './mentions.ts';
import type { PreparedStatements } from './prepared.ts';
import { REPLY } from './replies.ts';
import { NOBODYS } from './server-statements.ts';
import type { Session } from './session.ts';
import type { SessionOptions } from './session-types.ts';
import type { Statement } from './statement.ts';

/** Fails at every server. */
export const FAILING_QUERY = Query(`EXECUTE "${NOBODYS}"`);

export class MisleadingCalls {
  readonly #session: Session;
  readonly #world: SessionOptions['world'];
  readonly #classify: (query: Buffer) => Classification;

  constructor(session: Session, { world }: SessionOptions, classify: (query: Buffer) => Classification) {
    this.#session = session;
    this.#world = world;
    this.#classify = classify;
  }

  /** Why the message is not to be run on `link`; undefined: it is. */
  refusalOf(link: Link, message: Buffer, statement: Statement | undefined): ErrorFields | undefined {
    if (!this.#isForReads || link.member === this.#world.leader()) return undefined;
    const { standing, unit, prepared } = this.#session;
    // The server refuses it by itself, unless the transaction goes back to a savepoint first.
    if (standing.status === 'E' && !unit.hasSavepoint) return undefined;
    const tag = message[0];
    if (tag !== FRONTEND.Query && tag !== FRONTEND.Bind) return undefined;
    // Alone, it was placed by what it is.
    if (tag === FRONTEND.Query && standing.status === 'I') return undefined;
    const found = tag === FRONTEND.Query ? this.#classify(message) : statement?.classification;
    const call = found && callIn(found, prepared);
    return call && REPLY.misleadsAtStandby(call);
  }

  get #isForReads(): boolean {
    const { transaction, isReadOnly, unit } = this.#session;
    return transaction === undefined ? unit.sentFor !== 'primary' : isReadOnly;
  }
}

/** Also in the prepared statements that it runs, and that these run. */
function callIn(found: Classification, prepared: PreparedStatements, depth = 0): Misleading | undefined {
  const own = misleadingIn(found);
  if (own !== undefined || depth >= NESTING_MAX) return own;
  const alone = found.because === 'executes-prepared' ? found.detail : undefined;
  const spoken = found.speaksOf?.flatMap(({ name, isForgotten }) => (isForgotten ? [] : (name ?? [])));
  for (const name of spoken ?? (alone === undefined ? [] : [alone])) {
    const named = prepared.get(name);
    const call = named && callIn(named.classification, prepared, depth + 1);
    if (call !== undefined) return call;
  }
  return undefined;
}
