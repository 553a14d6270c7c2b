/** What is counted for each database, as PgBouncer does: see SHOW STATS of the admin console. Pure. */
import type { ClientTimes } from './overdue.ts';

/** What was done for one database, as plain numbers that only grow: nothing is allocated to count. Times in ms. */
export class Tally {
  serverAssignments = 0;
  transactions = 0;
  queries = 0;
  receivedBytes = 0;
  sentBytes = 0;
  transactionMs = 0;
  queryMs = 0;
  waitMs = 0;
  clientParses = 0;
  serverParses = 0;
  binds = 0;
}

/** One more unit of work was answered, and with it a transaction if that `isOver`; how long the unit took, in ms. */
export function countUnit(
  tally: Tally,
  times: ClientTimes,
  { now, isOver }: { readonly now: number; readonly isOver: boolean },
): number {
  const statementSince = times.statementSince ?? now;
  tally.queries += 1;
  tally.queryMs += now - statementSince;
  if (isOver) {
    tally.transactions += 1;
    tally.transactionMs += now - (times.transactionSince ?? statementSince);
  }
  return now - statementSince;
}
