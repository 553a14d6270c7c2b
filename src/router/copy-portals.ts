/**
 * Whether data that a client sends can be of a COPY that it has asked for in the extended protocol, which is not known before
 * the server has said so. It can behind the Execute of a portal that may be a COPY FROM STDIN, until the client ends its data.
 *
 * Taken for data of a COPY though it is none, it would have the Syncs behind it counted as those that a COPY eats; dropped
 * though it is wanted, its rows would be lost without a word. Pure.
 */
import { NOT_LOOKED_AT, type SqlReason } from '../sql/index.ts';
import type { Statement } from './statement.ts';

/** What may be COPY FROM STDIN: it is, or nobody has looked. */
const MAY_COPY_IN: ReadonlySet<SqlReason> = new Set(['copies-in', ...NOT_LOOKED_AT]);

export class CopyPortals {
  readonly #names = new Set<string>();
  /** Those that the running unit has closed or put others in place of: if it fails, that may have been skipped. */
  readonly #replaced: string[] = [];
  #isRun = false;

  /** `undefined`: of a statement that nobody here knows. */
  bound(portal: string, statement: Statement | undefined): void {
    if (statement === undefined || MAY_COPY_IN.has(statement.classification.because)) this.#names.add(portal);
    else this.closed(portal);
  }

  closed(portal: string): void {
    if (this.#names.size > 0 && this.#names.delete(portal)) this.#replaced.push(portal);
  }

  executed(portal: string): void {
    if (this.#names.has(portal)) this.#isRun = true;
  }

  /** No portal may be a COPY. */
  get isEmpty(): boolean {
    return this.#names.size === 0;
  }

  /** The client has sent CopyDone or CopyFail, or what ran is over. */
  ended(): void {
    this.#isRun = false;
  }

  /** A COPY may run that wants data. */
  get mayWantData(): boolean {
    return this.#isRun;
  }

  /** The unit is over. With the transaction all portals are. */
  settle(isFailed: boolean, isTransactionOver: boolean): void {
    if (isTransactionOver && this.#names.size > 0) this.#names.clear();
    if (this.#replaced.length === 0) return;
    if (isFailed && !isTransactionOver) for (const portal of this.#replaced) this.#names.add(portal);
    this.#replaced.length = 0;
  }
}
