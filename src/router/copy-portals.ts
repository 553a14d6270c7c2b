/**
 * Whether data that a client sends can be of a COPY that it has asked for in the extended protocol, which is not known before
 * the server has said so. Behind the end of its data a server reads over what comes until the next COPY; taken for data of one,
 * it would have the Syncs behind it counted as those that a COPY eats. Pure.
 */
import { NOT_LOOKED_AT, type SqlReason } from '../sql/index.ts';
import type { Statement } from './statement.ts';

/** What may be COPY FROM STDIN: it is, or nobody has looked. */
const MAY_COPY_IN: ReadonlySet<SqlReason> = new Set(['copies-in', ...NOT_LOOKED_AT]);

export class CopyPortals {
  /** Portals of the transaction that may be a COPY from the client, and ends of data since it began. */
  #bound = 0;
  #ended = 0;

  /** `undefined`: of a statement that nobody here knows. */
  bound(statement: Statement | undefined): void {
    if (statement === undefined || MAY_COPY_IN.has(statement.classification.because)) this.#bound += 1;
  }

  /** The client has sent CopyDone or CopyFail. */
  ended(): void {
    this.#ended += 1;
  }

  /** A COPY is left that may want data. */
  get mayWantData(): boolean {
    return this.#bound > this.#ended;
  }

  /** All portals have ended with their transaction. */
  over(): void {
    this.#bound = 0;
    this.#ended = 0;
  }
}
