/** How each message of a client is sent on a server connection, and which reply is expected for it: a table. Pure. */
import { FRONTEND, readClose, readDescribe } from '../wire/index.ts';
import type { Link } from './link.ts';
import { REQUEST } from './pipeline.ts';
import type { Statement } from './statement.ts';

/** `statement` is the prepared statement that the message makes, uses or closes, if the session knows it. */
export function dispatch(link: Link, message: Buffer, statement: Statement | undefined): void {
  switch (message[0]) {
    case FRONTEND.Query:
      link.send(message, REQUEST.query);
      return;
    case FRONTEND.Parse:
      if (statement !== undefined) link.statements.parse(message, statement);
      return;
    case FRONTEND.Bind:
      link.statements.use(message, REQUEST.bind, statement);
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
      if (closed.kind === 'portal') link.send(message, REQUEST.close);
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
