/**
 * How the client stands, as it was last told: the state of its transaction, whether that transaction has lost its
 * server, whether the client's messages are skipped. Changed by named events only. Pure.
 */
import type { TransactionStatus } from '../wire/index.ts';
import { Limbo } from './limbo.ts';
import { Prelude } from './prelude.ts';
import type { LossReason } from './route.ts';

export class Standing {
  /** The transaction that no server knows of yet. */
  readonly prelude = new Prelude();
  #status: TransactionStatus = 'I';
  #limbo: Limbo | undefined = undefined;
  #isSkipping = false;

  /** What the client was last told. */
  get status(): TransactionStatus {
    return this.#status;
  }

  /** The transaction whose server is gone, while the client has not ended it. */
  get limbo(): Limbo | undefined {
    return this.#limbo;
  }

  /** The client is in a transaction that its first statement has made READ ONLY. */
  get isDecided(): boolean {
    return this.#status !== 'I' && this.prelude.isDecided;
  }

  /** Everything up to the next Sync is skipped, as a server does after an error. */
  get isSkipping(): boolean {
    return this.#isSkipping;
  }

  /** A server has answered a unit, and said how the transaction stands. */
  answered(status: TransactionStatus): void {
    this.#status = status;
    this.prelude.end();
  }

  /** The client was told without a server. */
  answeredHere(status: TransactionStatus): void {
    this.#status = status;
  }

  /** The transaction is over without its server having said so. */
  transactionOver(): void {
    this.#status = 'I';
    this.prelude.end();
  }

  /** The transaction has lost its server; `isTold`: the client knows, or is told now. */
  enterLimbo(because: LossReason, isTold: boolean): void {
    this.prelude.end();
    this.#limbo = new Limbo(because, isTold);
    if (isTold) this.#status = 'E';
  }

  /** A message was answered in limbo; `isOver`: it has ended the transaction. */
  answeredInLimbo(isOver: boolean): void {
    this.#status = isOver ? 'I' : 'E';
    if (isOver) this.#limbo = undefined;
  }

  skipToSync(): void {
    this.#isSkipping = true;
  }

  stopSkipping(): void {
    this.#isSkipping = false;
  }
}
