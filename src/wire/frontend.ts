/**
 * What clients send: one builder and, where a decision needs it, one reader a message, named and ordered as in
 * the manual's chapter "Message Formats". Readers take the whole message (tag, length, body), check all of it,
 * and decode only what they return. A new message? Also its tag in tag.ts, its export in index.ts, its round
 * trip in the tests.
 */
import { assert } from '../base/index.ts';
import { copyInto } from './copy.ts';
import { isHead, withRestOf } from './message-head.ts';
import { BodyReader } from './reader.ts';
import { STARTUP_CODE } from './startup.ts';
import { FRONTEND } from './tag.ts';
import { emptyMessage, MessageWriter } from './writer.ts';

/** What Describe and Close speak of. */
export interface StatementOrPortal {
  readonly kind: 'statement' | 'portal';
  /** Empty for the unnamed one. */
  readonly name: string;
}

/** A Bind; the values are raw, because we only hand them on. */
export interface BindFields {
  readonly portal: string;
  readonly statement: string;
  /** 0 text, 1 binary: none (all text), one for all, or one a parameter. */
  readonly parameterFormats?: readonly number[];
  /** `undefined` is NULL. */
  readonly parameters?: readonly (Buffer | undefined)[];
  readonly resultFormats?: readonly number[];
}

/** A Parse. */
export interface ParseFields {
  readonly name: string;
  readonly sql: string;
  /** OIDs; 0 or absent where the server is to infer the type. */
  readonly parameterTypes: readonly number[];
}

/** Binds values to a prepared statement, as a portal. */
export function Bind(fields: BindFields): Buffer {
  const writer = new MessageWriter(FRONTEND.Bind).cstring(fields.portal).cstring(fields.statement);
  writeFormats(writer, fields.parameterFormats ?? []);
  const parameters = fields.parameters ?? [];
  writer.count(parameters.length);
  for (const value of parameters) {
    if (value === undefined) writer.int32(-1);
    else writer.int32(value.length).bytes(value);
  }
  writeFormats(writer, fields.resultFormats ?? []);
  return writer.end();
}

/** The names of a Bind; its values are stepped over, and checked to lie inside the message. */
export function readBind(message: Buffer): { readonly portal: string; readonly statement: string } {
  const reader = new BodyReader(message, 'Bind');
  const portal = reader.cstring('portal');
  const statement = reader.cstring('statement');
  reader.skip(reader.count('number of parameter formats') * 2, 'parameter formats');
  const parameters = reader.count('number of parameters');
  for (let index = 0; index < parameters; index += 1) {
    const length = reader.int32('length of parameter');
    if (length !== -1) reader.skip(length, 'parameter');
  }
  reader.skip(reader.count('number of result formats') * 2, 'result formats');
  reader.expectEnd();
  return { portal, statement };
}

/** How many values a Bind has, and the formats that it wants results in (none: text; one: for all columns). */
export function readBindFormats(message: Buffer): {
  readonly parameters: number;
  readonly resultFormats: readonly number[];
} {
  const reader = new BodyReader(message, 'Bind');
  reader.skipCstring('portal');
  reader.skipCstring('statement');
  reader.skip(reader.count('number of parameter formats') * 2, 'parameter formats');
  const parameters = reader.count('number of parameters');
  for (let index = 0; index < parameters; index += 1) {
    const length = reader.int32('length of parameter');
    if (length !== -1) reader.skip(length, 'parameter');
  }
  const count = reader.count('number of result formats');
  const resultFormats: number[] = [];
  for (let index = 0; index < count; index += 1) resultFormats.push(reader.int16('result format'));
  reader.expectEnd();
  return { parameters, resultFormats };
}

/** The same Bind, or beginning of one, for another statement, whose name is given as its bytes; a new Buffer. */
export function withBindStatement(message: Buffer, statement: Buffer): Buffer {
  const reader = new BodyReader(message, 'Bind');
  reader.skipCstring('portal');
  const start = reader.offset;
  reader.skipCstring('statement');
  return withName(message, { start, end: reader.offset - 1 }, statement);
}

/** The same message with a name in place of the one that is there; all other bytes as they came. */
function withName(
  message: Buffer,
  { start, end }: { readonly start: number; readonly end: number },
  name: Buffer,
): Buffer {
  const changed = Buffer.allocUnsafe(message.length - (end - start) + name.length);
  copyInto(changed, 0, message, 0, start);
  const nameEnd = copyInto(changed, start, name, 0, name.length);
  copyInto(changed, nameEnd, message, end, message.length);
  changed.writeInt32BE(changed.length - 1, 1);
  return withRestOf(message, changed);
}

/** Asks a server to cancel what `processId` does; sent alone on a new connection. */
export function CancelRequest(processId: number, secretKey: Buffer): Buffer {
  return new MessageWriter(undefined)
    .int32(STARTUP_CODE.cancelRequest)
    .int32(processId)
    .bytes(secretKey)
    .end();
}

/** Closes a prepared statement or a portal. */
export function Close(kind: StatementOrPortal['kind'], name: string): Buffer {
  return new MessageWriter(FRONTEND.Close).byte(letterOf(kind)).cstring(name).end();
}

/** What is to be closed. */
export function readClose(message: Buffer): StatementOrPortal {
  return readStatementOrPortal(new BodyReader(message, 'Close'));
}

/** Ends a COPY from the client with an error; `reason` is shown in it. */
export function CopyFail(reason: string): Buffer {
  return new MessageWriter(FRONTEND.CopyFail).cstring(reason).end();
}

/** Asks for the columns of a statement (and its parameters) or of a portal. */
export function Describe(kind: StatementOrPortal['kind'], name: string): Buffer {
  return new MessageWriter(FRONTEND.Describe).byte(letterOf(kind)).cstring(name).end();
}

/** What is to be described. */
export function readDescribe(message: Buffer): StatementOrPortal {
  return readStatementOrPortal(new BodyReader(message, 'Describe'));
}

/** `maxRows` 0 means all. */
export function Execute(portal: string, maxRows: number): Buffer {
  return new MessageWriter(FRONTEND.Execute).cstring(portal).int32(maxRows).end();
}

/** The portal to run, and how many rows to return at most (0: all). */
export function readExecute(message: Buffer): { readonly portal: string; readonly maxRows: number } {
  const reader = new BodyReader(message, 'Execute');
  const portal = reader.cstring('portal');
  const maxRows = reader.int32('maximum of rows');
  reader.expectEnd();
  return { portal, maxRows };
}

/** Asks for the answers so far, without ending the batch. */
export function Flush(): Buffer {
  return emptyMessage(FRONTEND.Flush);
}

/** Prepares a statement. */
export function Parse(fields: ParseFields): Buffer {
  const writer = new MessageWriter(FRONTEND.Parse).cstring(fields.name).cstring(fields.sql);
  writer.count(fields.parameterTypes.length);
  for (const oid of fields.parameterTypes) writer.int32(oid | 0);
  return writer.end();
}

/** `sql` is decoded as UTF-8, whatever the client's encoding: decide by it, never send it on. */
export function readParse(message: Buffer): ParseFields {
  const reader = new BodyReader(message, 'Parse');
  const name = reader.cstring('name');
  const sql = reader.cstring('query');
  const parameterTypes: number[] = [];
  const count = reader.count('number of parameter types');
  for (let index = 0; index < count; index += 1) {
    parameterTypes.push(reader.int32('parameter type') >>> 0);
  }
  reader.expectEnd();
  return { name, sql, parameterTypes };
}

/**
 * The name of a Parse, and where its SQL begins and ends in the message, for one who need not decode it. Of a beginning,
 * `end` is that of what is here if the SQL goes on behind it.
 */
export function readParseText(message: Buffer): {
  readonly name: string;
  readonly start: number;
  readonly end: number;
} {
  const reader = new BodyReader(message, 'Parse');
  const name = reader.cstring('name');
  const start = reader.offset;
  if (isHead(message)) {
    const end = message.indexOf(0, start);
    return { name, start, end: end === -1 ? message.length : end };
  }
  reader.skipCstring('query');
  const end = reader.offset - 1;
  reader.skip(reader.count('number of parameter types') * 4, 'parameter types');
  reader.expectEnd();
  return { name, start, end };
}

/** The same Parse, or beginning of one, under another name, given as its bytes; a new Buffer, the SQL's bytes untouched. */
export function withParseName(message: Buffer, name: Buffer): Buffer {
  const reader = new BodyReader(message, 'Parse');
  const start = reader.offset;
  reader.skipCstring('name');
  return withName(message, { start, end: reader.offset - 1 }, name);
}

/** Answers a request for a password, cleartext or hashed. */
export function PasswordMessage(password: string): Buffer {
  return new MessageWriter(FRONTEND.Password).cstring(password).end();
}

/** The password, as sent. */
export function readPasswordMessage(message: Buffer): string {
  const reader = new BodyReader(message, 'PasswordMessage');
  const password = reader.cstring('password');
  reader.expectEnd();
  return password;
}

/** One or more statements as text: the simple protocol. */
export function Query(sql: string): Buffer {
  return new MessageWriter(FRONTEND.Query, Buffer.byteLength(sql) + 6).cstring(sql).end();
}

/** The SQL, decoded as UTF-8, whatever the client's encoding: decide by it, never send it on. */
export function readQuery(message: Buffer): string {
  const reader = new BodyReader(message, 'Query');
  const sql = reader.cstring('query');
  reader.expectEnd();
  return sql;
}

/** Where the SQL of a Query ends in the message; it begins at `QUERY_TEXT_START`. */
export function readQueryEnd(message: Buffer): number {
  const reader = new BodyReader(message, 'Query');
  reader.skipCstring('query');
  reader.expectEnd();
  return message.length - 1;
}

/** Behind tag and length. */
export const QUERY_TEXT_START = 5;

/** `data` is the client-first message of the mechanism. */
export function SASLInitialResponse(mechanism: string, data: string): Buffer {
  return new MessageWriter(FRONTEND.Password)
    .cstring(mechanism)
    .int32(Buffer.byteLength(data))
    .text(data)
    .end();
}

/** `data` is undefined where the client waits for the server to begin. */
export function readSASLInitialResponse(message: Buffer): {
  readonly mechanism: string;
  readonly data: string | undefined;
} {
  const reader = new BodyReader(message, 'SASLInitialResponse');
  const mechanism = reader.cstring('mechanism');
  const length = reader.int32('length of response');
  const data = length === -1 ? undefined : reader.bytes(length, 'response').toString('utf8');
  reader.expectEnd();
  return { mechanism, data };
}

/** The mechanism's next message; for SCRAM, client-final. */
export function SASLResponse(data: string): Buffer {
  return new MessageWriter(FRONTEND.Password).text(data).end();
}

/** The mechanism's next message. */
export function readSASLResponse(message: Buffer): string {
  return new BodyReader(message, 'SASLResponse').rest().toString('utf8');
}

/** Asks for TLS; the answer is one byte, S or N (or an ErrorResponse of an ancient server). */
export function SSLRequest(): Buffer {
  return new MessageWriter(undefined).int32(STARTUP_CODE.sslRequest).end();
}

/** Asks for GSSAPI encryption; the answer is one byte, G or N. */
export function GSSENCRequest(): Buffer {
  return new MessageWriter(undefined).int32(STARTUP_CODE.gssencRequest).end();
}

/** Protocol 3.0, unless said. The parameter `user` is required by PostgreSQL. */
export function StartupMessage(parameters: Iterable<readonly [string, string]>, minor = 0): Buffer {
  const writer = new MessageWriter(undefined).int32((3 << 16) | minor);
  for (const [name, value] of parameters) {
    assert(name !== '', 'an empty name would end the parameters');
    writer.cstring(name).cstring(value);
  }
  return writer.byte(0).end();
}

/** Ends a batch of the extended protocol; answered by ReadyForQuery. */
export function Sync(): Buffer {
  return emptyMessage(FRONTEND.Sync);
}

/** Says goodbye; the connection is closed next. */
export function Terminate(): Buffer {
  return emptyMessage(FRONTEND.Terminate);
}

const STATEMENT = 0x53; // S
const PORTAL = 0x50; // P

function letterOf(kind: StatementOrPortal['kind']): number {
  return kind === 'statement' ? STATEMENT : PORTAL;
}

function readStatementOrPortal(reader: BodyReader): StatementOrPortal {
  const letter = reader.byte('kind');
  if (letter !== STATEMENT && letter !== PORTAL) {
    throw reader.violation('bad-value', 'kind', reader.offset - 1);
  }
  const name = reader.cstring('name');
  reader.expectEnd();
  return { kind: letter === STATEMENT ? 'statement' : 'portal', name };
}

function writeFormats(writer: MessageWriter, formats: readonly number[]): void {
  writer.count(formats.length);
  for (const format of formats) writer.int16(format);
}
