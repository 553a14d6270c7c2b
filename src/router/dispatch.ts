/**
 * How each message of a client is sent on a server connection, which reply is expected for it, and what that makes of the
 * unit of work that it is of. Pure.
 */
import { type ErrorFields, FRONTEND, readClose, readDescribe } from '../wire/index.ts';
import type { Link } from './link.ts';
import type { Mention } from './mentions.ts';
import { FAILING_QUERY } from './misleading.ts';
import { REQUEST } from './pipeline.ts';
import type { Session } from './session.ts';
import type { Statement } from './statement.ts';
import type { Unit } from './unit.ts';

/**
 * `statement` is the prepared statement that the message makes, uses or closes, if the session knows it; `mention` what
 * SQL in it says of others. Arguments one by one, since an object a message is what the hot path must not cost.
 */
export function dispatch(
  session: Session,
  link: Link,
  message: Buffer,
  statement: Statement | undefined,
  mention: Mention | undefined,
): void {
  const tag = message[0];
  if (statement !== undefined) session.prepared.nameFor(statement, session.planningKey);
  const refusal = session.intake.misleading.refusalOf(link, message, statement);
  if (refusal !== undefined) return refuse(session, link, message, { statement, refusal });
  if (mention !== undefined)
    lendNamed(session, link, { lends: mention.lends, isBatch: session.unit.kind === 'batch' });
  noteCopy(session.unit, tag);
  if (mention?.forgets === undefined) send(link, message, statement, session.unit);
  else link.statements.executeForgetting(message, mention.forgets.name);
}

/** What is sent in the message's place fails, and the client is told why. */
function refuse(
  { unit }: Session,
  link: Link,
  message: Buffer,
  { statement, refusal }: { readonly statement: Statement | undefined; readonly refusal: ErrorFields },
): void {
  unit.misfitBecause = refusal;
  if (message[0] === FRONTEND.Bind && statement !== undefined) {
    link.statements.refuse(message, statement);
    return;
  }
  // Nothing of the text is run.
  if (unit.kind === 'query') unit.mayPin = false;
  link.send(FAILING_QUERY, REQUEST.query);
}

/** SQL in the unit speaks of a statement that was prepared by the protocol, by the client's name for it. */
function lendNamed(
  { standing, unit }: Session,
  link: Link,
  { lends, isBatch }: { readonly lends: Mention['lends']; readonly isBatch: boolean },
): void {
  for (const named of lends) {
    // In a failed transaction nothing is run, and a Parse of a text would be refused.
    if (standing.status === 'E' && named.isEmpty !== true) continue;
    link.statements.lend(named, isBatch);
    unit.hasLent = true;
  }
}

/** How far a COPY from the client has come. */
function noteCopy(unit: Unit, tag: number | undefined): void {
  if (tag === FRONTEND.Sync && (unit.isCopyFed || unit.isCopyOpen)) {
    unit.syncsInCopy += 1;
    if (unit.isCopyFed) unit.isSyncAmongData = true;
  }
  if (tag !== FRONTEND.CopyDone && tag !== FRONTEND.CopyFail) return;
  unit.copiesEnded += 1;
  unit.isCopyDone = tag === FRONTEND.CopyDone;
  unit.isCopyFed = false;
  unit.isSyncInDoubt = unit.isSyncAmongData;
}

function send(link: Link, message: Buffer, statement: Statement | undefined, unit: Unit): void {
  switch (message[0]) {
    case FRONTEND.Query:
      link.swallowsFirst = unit.isRest;
      link.send(message, REQUEST.query);
      return;
    case FRONTEND.Parse:
      if (statement !== undefined) link.statements.parse(message, statement);
      return;
    case FRONTEND.Bind:
      if (statement !== undefined && statement === unit.misfit) link.statements.refuse(message, statement);
      else link.statements.use(message, REQUEST.bind, statement);
      return;
    case FRONTEND.Describe:
      if (readDescribe(message).kind === 'portal') link.send(message, REQUEST.describe);
      else link.statements.use(message, REQUEST.describe, statement);
      return;
    case FRONTEND.Execute:
      link.send(message, REQUEST.execute);
      return;
    case FRONTEND.Close: {
      const closed = readClose(message);
      if (closed.kind === 'portal') link.statements.closePortal(message);
      else link.statements.close(message, closed.name, statement !== undefined);
      return;
    }
    case FRONTEND.Sync:
      link.send(message, REQUEST.sync);
      return;
    case FRONTEND.FunctionCall:
      link.send(message, REQUEST.call);
      return;
    case undefined:
    default: // CopyDone, CopyFail, Flush: no reply of their own
      link.send(message, undefined);
  }
}
