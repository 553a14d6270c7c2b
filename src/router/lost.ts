/**
 * What becomes of a unit of work whose server connection was lost before it was fully answered: one total
 * function from facts to a verdict. Invariant 4: nothing in doubt is replayed. Pure.
 */
import type { TransactionStatus } from '../wire/index.ts';

export interface LossFacts {
  /** Of the connection before this unit was sent. */
  readonly status: TransactionStatus;
  /** The transaction's BEGIN went with it, so that all of the transaction is still here. */
  readonly begins: boolean;
  /** The transaction is a READ ONLY one that was begun at a standby. */
  readonly hasNothingToCommit: boolean;
  /** How the unit would have ended the transaction. */
  readonly ends: 'commit' | 'rollback' | undefined;
  /** It may have changed something. */
  readonly writes: boolean;
  /** The client has seen a part of the answer. */
  readonly answered: boolean;
  /** The client has seen an error as the answer; only ReadyForQuery is missing. */
  readonly failed: boolean;
  /** COPY FROM STDIN whose CopyDone was not sent: the server cannot have finished it. */
  readonly copyUnfinished: boolean;
  /** Its messages are still here, and it may be tried once more. */
  readonly repeatable: boolean;
}

/**
 * again: run it on another server, the client notices nothing.
 * over: the client has its error; tell it only that the router is ready.
 * failed: it had no effect, but the client has seen a part of the answer: an error.
 * in-doubt: it may have been carried out (08007).
 * rolled-back: that was asked for, and the loss did it.
 * failed-at-end: a COMMIT that had nothing to commit but settings, which are as before.
 * transaction-lost: the open transaction is gone, nothing of it was committed.
 */
export type Verdict =
  | 'again'
  | 'over'
  | 'failed'
  | 'in-doubt'
  | 'rolled-back'
  | 'failed-at-end'
  | 'transaction-lost';

export function whenServerLost(facts: LossFacts): Verdict {
  if (facts.begins && mayBeginAgain(facts)) return 'again';
  if (facts.status === 'T') {
    if (facts.failed) return 'transaction-lost';
    if (facts.ends === 'commit')
      return facts.hasNothingToCommit && !facts.writes ? 'failed-at-end' : 'in-doubt';
    return facts.ends === 'rollback' ? whenRolledBack(facts) : 'transaction-lost';
  }
  // What had failed before the loss has skipped the ROLLBACK.
  if (facts.status === 'E')
    return facts.failed || facts.ends === undefined ? 'transaction-lost' : whenRolledBack(facts);
  if (facts.failed) return 'over';
  if (facts.copyUnfinished) return 'failed';
  if (facts.writes) return 'in-doubt';
  return facts.repeatable && !facts.answered ? 'again' : 'failed';
}

/** It only read, and the client has seen nothing of it. */
function mayBeginAgain({ writes, ends, failed, answered, copyUnfinished, repeatable }: LossFacts): boolean {
  return repeatable && !writes && ends === undefined && !failed && !answered && !copyUnfinished;
}

/** What the unit writes may be behind the ROLLBACK, in a transaction of its own that was committed. */
function whenRolledBack({ writes }: LossFacts): Verdict {
  return writes ? 'in-doubt' : 'rolled-back';
}
