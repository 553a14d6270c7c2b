/** Two transcripts of one conversation: equal, or the place where they part, for people. */

/** A write in a read-only transaction is refused by a standby in its own words, and before it looks at anything else. */
const STANDBY_REFUSAL = /^ErrorResponse .*"code":"25006".* during recovery"/;

const CONTEXT_LINES = 6;

/**
 * A statement prepared before its table changed is refused by PostgreSQL, and prepared again by the router. From there
 * on the two are in other states: nothing more can be compared.
 */
const STALE_PLAN = 'cached plan must not change result type';

/** A server process that ends itself takes its client with it; the router tells of the loss and keeps the client. */
const ENDED_ITSELF = /^ErrorResponse .*"severity":"FATAL","code":"XX000"/;

/** PostgreSQL's last word while more is on its way to it: the reset that follows may overtake it. */
const LAST_WORD =
  /^ErrorResponse .*"severity":"FATAL".*"message":"terminating connection because protocol synch/;

/** What differs between the documented texts is taken out here, and nowhere else. */
function normalized(line: string): string {
  // A standby says so when a session begins there; what the router tells clients is the primary's.
  if (line.startsWith('ParameterStatus in_hot_standby') || LAST_WORD.test(line)) return '';
  // Where a statement was when it was cancelled is a matter of time; how far a COPY was, the router does not know.
  return /canceling statement due to user request|unexpected message type/.test(line)
    ? line.replace(/,"where":".*"/, '')
    : line;
}

/** What the router cannot prepare in a failed transaction is refused for that, whatever else is wrong with it. */
const WRONG_COUNT = /^ErrorResponse .*"code":"08P01","message":"bind message supplies/;
const IN_FAILED_TRANSACTION = /^ErrorResponse .*"code":"25P02"/;

/** So is a Describe of a statement without rows, which PostgreSQL answers in a failed transaction too. */
function isPreparedTooLate(left: readonly string[], at: number, seen = ''): boolean {
  if (!IN_FAILED_TRANSACTION.test(seen) || left[at] !== 'ParameterDescription') return false;
  return left[at + 1] === 'NoData';
}

/** What PostgreSQL allows in a READ ONLY transaction, but no standby does, or does for nothing: there the transaction fails. */
const NO_STANDBYS =
  /^ErrorResponse .*"code":"25006","message":"cannot (execute (LISTEN|NOTIFY|LOCK TABLE) during recovery|run pg_\w+\(\) at the standby that serves the READ ONLY transaction)"/;

/** State that was made in a READ ONLY transaction, at a standby, keeps the session there. */
const BOUND_TO_STANDBY = /^ErrorResponse .*"code":"25006","message":"this session is bound to a standby/;

/** A message that cannot come during COPY, named by its type: what the router puts in front of it is refused in its place. */
const UNEXPECTED = /(?<="unexpected message type )0x..(?= during COPY from stdin)/;
const PUT_IN_FRONT = new Set(['0x43', '0x50']);

/** A text that leaves a failed transaction, and goes on with what the protocol has prepared, which a server has not by that name. */
const SPOKEN_OF = /^> query "(ROLLBACK|COMMIT|END|ABORT)[^;]*;.*\b(EXECUTE|DEALLOCATE)\b/;
const NOT_THERE = /^ErrorResponse .*"code":"26000"/;

function isPastFailure(told: readonly string[], seen = ''): boolean {
  const asked = told.findLastIndex((line) => line.startsWith('> '));
  const text = told.slice(0, asked).findLastIndex((line) => line.startsWith('> query'));
  const status = told.slice(0, Math.max(0, text)).findLast((line) => line.startsWith('ReadyForQuery'));
  return NOT_THERE.test(seen) && SPOKEN_OF.test(told[text] ?? '') && status === 'ReadyForQuery E';
}

/** Only what has been said to be READ ONLY may be at a standby with state of its own. */
const SAYS_READ_ONLY = /^> .*read[ _]only/i;

function isReadOnlySaid(told: readonly string[]): boolean {
  return told.some((line) => SAYS_READ_ONLY.test(line));
}

function isInFailedTransaction(told: readonly string[]): boolean {
  const last = told.findLast((line) => line.startsWith('ReadyForQuery') || line.startsWith('ErrorResponse'));
  return last === 'ReadyForQuery E' || last?.startsWith('ErrorResponse') === true;
}

function isSame(left: readonly string[], at: number, seen: string): boolean {
  const expected = left[at] ?? '';
  if (expected === seen) return true;
  const named = UNEXPECTED.exec(seen)?.[0] ?? '';
  if (PUT_IN_FRONT.has(named) && expected.replace(UNEXPECTED, named) === seen) return true;
  if (WRONG_COUNT.test(expected) && IN_FAILED_TRANSACTION.test(seen))
    return isInFailedTransaction(left.slice(0, at));
  const isRefused = expected.startsWith('ErrorResponse') && STANDBY_REFUSAL.test(seen);
  return isRefused && isReadOnlySaid(left.slice(0, at));
}

/** The router's word for a server that was lost: nothing else may stand for a server's end. */
function isLoss(line = ''): boolean {
  return /^ErrorResponse .*"code":"(08007|08006|57P01)"/.test(line);
}

/** A parameter is told by the next ReadyForQuery at the latest; a Flush that ends a unit of the router's work tells it sooner. */
function settled(lines: readonly string[]): readonly string[] {
  const told: string[] = [];
  const parameters: string[] = [];
  for (const line of lines) {
    if (line.startsWith('ReadyForQuery')) told.push(...parameters.splice(0).toSorted());
    if (line.startsWith('ParameterStatus')) parameters.push(line);
    else told.push(line);
  }
  return [...told, ...parameters];
}

/** For people; undefined: none. */
export function difference(
  expected: readonly string[],
  seen: readonly string[],
  name: string,
): string | undefined {
  const left = settled(expected.map(normalized).filter((line) => line !== ''));
  const right = settled(seen.map(normalized).filter((line) => line !== ''));
  const at = left.findIndex((_line, index) => !isSame(left, index, right[index] ?? ''));
  if (at === -1 && left.length === right.length) return undefined;
  const parting = left[at] ?? '';
  const told = left.slice(0, Math.max(0, at));
  const isOfStandby = NO_STANDBYS.test(right[at] ?? '') || BOUND_TO_STANDBY.test(right[at] ?? '');
  if (isOfStandby && isReadOnlySaid(told)) return undefined;
  if (isPreparedTooLate(left, at, right[at])) return undefined;
  if (isPastFailure(told, right[at])) return undefined;
  if (parting.includes(STALE_PLAN) && right[at] !== undefined) return undefined;
  if (ENDED_ITSELF.test(parting) && isLoss(right[at])) return undefined;
  const from = at === -1 ? left.length : at;
  const common = left.slice(Math.max(0, from - CONTEXT_LINES), from);
  return [
    ...common.map((line) => `    ${line}`),
    `  PostgreSQL: ${left.slice(from, from + 2).join('\n              ') || '(nothing more)'}`,
    `  ${name}: ${right.slice(from, from + 2).join('\n              ') || '(nothing more)'}`,
  ].join('\n');
}
