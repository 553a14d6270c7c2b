/**
 * What servers send: one builder and, where a decision needs it, one reader a message, named and ordered as in
 * the manual's chapter "Message Formats". The builder of rows is for our own console: rows of servers are passed on.
 * Readers take the whole message (tag, length, body). Messages without fields are shared Buffers: send them, do not
 * write into them. A new message? Also its tag in tag.ts, its export in index.ts, its round trip in the tests.
 */
import { type ErrorFields, readFields, writeErrorFields } from './error-fields.ts';
import { CANCEL_KEY_BYTES_MIN } from './limits.ts';
import { BodyReader, TAG_AND_LENGTH_BYTES } from './reader.ts';
import { BACKEND } from './tag.ts';
import { emptyMessage, MessageWriter } from './writer.ts';

/** What a server asks for, or tells, while a connection is authenticated. */
export type Authentication =
  | { readonly kind: 'ok' }
  | { readonly kind: 'cleartext-password' }
  | { readonly kind: 'md5-password'; readonly salt: Buffer }
  | { readonly kind: 'sasl'; readonly mechanisms: readonly string[] }
  | { readonly kind: 'sasl-continue'; readonly data: string }
  | { readonly kind: 'sasl-final'; readonly data: string }
  /** Kerberos, GSSAPI, SSPI: methods we do not speak; `code` is the manual's number. */
  | { readonly kind: 'unsupported'; readonly code: number };

/** I: idle; T: in a transaction; E: in a failed one. */
export type TransactionStatus = 'I' | 'T' | 'E';

const AUTHENTICATION = {
  ok: 0,
  cleartextPassword: 3,
  md5Password: 5,
  sasl: 10,
  saslContinue: 11,
  saslFinal: 12,
};

const authentication = (code: number): MessageWriter => new MessageWriter(BACKEND.Authentication).int32(code);

const AUTHENTICATION_OK = authentication(AUTHENTICATION.ok).end();
const AUTHENTICATION_CLEARTEXT_PASSWORD = authentication(AUTHENTICATION.cleartextPassword).end();
const BIND_COMPLETE = emptyMessage(BACKEND.BindComplete);
const CLOSE_COMPLETE = emptyMessage(BACKEND.CloseComplete);
const EMPTY_QUERY_RESPONSE = emptyMessage(BACKEND.EmptyQueryResponse);
const NO_DATA = emptyMessage(BACKEND.NoData);
const PORTAL_SUSPENDED = emptyMessage(BACKEND.PortalSuspended);
const PARSE_COMPLETE = emptyMessage(BACKEND.ParseComplete);
const READY_FOR_QUERY: Readonly<Record<TransactionStatus, Buffer>> = {
  I: readyForQuery('I'),
  T: readyForQuery('T'),
  E: readyForQuery('E'),
};

/** The client is who it says. */
export function AuthenticationOk(): Buffer {
  return AUTHENTICATION_OK;
}

/** Asks for the password itself. */
export function AuthenticationCleartextPassword(): Buffer {
  return AUTHENTICATION_CLEARTEXT_PASSWORD;
}

/** Asks for an md5 of the password, the user's name and `salt` (4 bytes). */
export function AuthenticationMD5Password(salt: Buffer): Buffer {
  return authentication(AUTHENTICATION.md5Password).bytes(salt).end();
}

/** Offers SASL mechanisms, the preferred one first. */
export function AuthenticationSASL(mechanisms: readonly string[]): Buffer {
  const writer = authentication(AUTHENTICATION.sasl);
  for (const mechanism of mechanisms) writer.cstring(mechanism);
  return writer.byte(0).end();
}

/** The mechanism's challenge; for SCRAM, server-first. */
export function AuthenticationSASLContinue(data: string): Buffer {
  return authentication(AUTHENTICATION.saslContinue).text(data).end();
}

/** The mechanism's last word; for SCRAM, server-final. AuthenticationOk follows. */
export function AuthenticationSASLFinal(data: string): Buffer {
  return authentication(AUTHENTICATION.saslFinal).text(data).end();
}

/** Any of the Authentication messages. */
export function readAuthentication(message: Buffer): Authentication {
  const reader = new BodyReader(message, 'Authentication');
  const code = reader.int32('code');
  const found = readAuthenticationFields(code, reader);
  reader.expectEnd();
  return found;
}

/** `secretKey`: 4 bytes in protocol 3.0. */
export function BackendKeyData(processId: number, secretKey: Buffer): Buffer {
  return new MessageWriter(BACKEND.BackendKeyData).int32(processId).bytes(secretKey).end();
}

/** What a later CancelRequest must name; the key is a copy. */
export function readBackendKeyData(message: Buffer): {
  readonly processId: number;
  readonly secretKey: Buffer;
} {
  const reader = new BodyReader(message, 'BackendKeyData');
  const processId = reader.int32('process ID');
  const keyAt = reader.offset;
  const secretKey = Buffer.from(reader.rest());
  if (secretKey.length < CANCEL_KEY_BYTES_MIN) throw reader.violation('past-end', 'secret key', keyAt);
  return { processId, secretKey };
}

/** Answers Bind. */
export function BindComplete(): Buffer {
  return BIND_COMPLETE;
}

/** Answers Close, also where there was nothing to close. */
export function CloseComplete(): Buffer {
  return CLOSE_COMPLETE;
}

/** `tag` is the command tag, e.g. "INSERT 0 1". */
export function CommandComplete(tag: string): Buffer {
  return new MessageWriter(BACKEND.CommandComplete).cstring(tag).end();
}

/** The command tag. */
export function readCommandComplete(message: Buffer): string {
  const reader = new BodyReader(message, 'CommandComplete');
  const tag = reader.cstring('command tag');
  reader.expectEnd();
  return tag;
}

/** One row; `undefined` is NULL. The formats are those that the RowDescription, or the Bind, has named. */
export function DataRow(values: readonly (Buffer | undefined)[]): Buffer {
  const writer = new MessageWriter(BACKEND.DataRow).count(values.length);
  for (const value of values) {
    if (value === undefined) writer.int32(-1);
    else writer.int32(value.length).bytes(value);
  }
  return writer.end();
}

/** The first column of a row of text; undefined is NULL, or no column. */
export function readFirstColumn(message: Buffer): string | undefined {
  return readTextColumns(message)[0];
}

/** The columns of a row of text, for the questions that we ask ourselves; undefined is NULL. */
export function readTextColumns(message: Buffer): readonly (string | undefined)[] {
  const reader = new BodyReader(message, 'DataRow');
  const columns: (string | undefined)[] = [];
  for (let left = reader.count('number of columns'); left > 0; left -= 1) {
    const length = reader.int32('length of column');
    columns.push(length === -1 ? undefined : reader.bytes(length, 'column').toString('utf8'));
  }
  return columns;
}

/** Answers a query of nothing, in place of CommandComplete. */
export function EmptyQueryResponse(): Buffer {
  return EMPTY_QUERY_RESPONSE;
}

/** Ends the statement (ERROR) or the connection (FATAL). */
export function ErrorResponse(fields: ErrorFields): Buffer {
  return writeErrorFields(new MessageWriter(BACKEND.ErrorResponse), fields).end();
}

/** The fields of an ErrorResponse or a NoticeResponse. */
export function readErrorFields(message: Buffer): ErrorFields {
  return readFields(message, message[0] === BACKEND.NoticeResponse ? 'NoticeResponse' : 'ErrorResponse');
}

/**
 * Says that only protocol 3.`minor` is spoken and which options of the client are not known. The manual calls
 * the field a minor version; PostgreSQL sends, and libpq reads, major and minor in one word.
 */
export function NegotiateProtocolVersion(minor: number, options: readonly string[]): Buffer {
  const writer = new MessageWriter(BACKEND.NegotiateProtocolVersion).int32((3 << 16) | minor);
  writer.int32(options.length);
  for (const option of options) writer.cstring(option);
  return writer.end();
}

/** The newest minor version of protocol 3 that the server speaks, and the options it does not know. */
export function readNegotiateProtocolVersion(message: Buffer): {
  readonly minor: number;
  readonly options: readonly string[];
} {
  const reader = new BodyReader(message, 'NegotiateProtocolVersion');
  const minor = reader.int32('newest minor version') & 0xffff;
  const count = reader.int32('number of options');
  const options: string[] = [];
  for (let index = 0; index < count; index += 1) options.push(reader.cstring('option'));
  reader.expectEnd();
  return { minor, options };
}

/** Answers Describe of a statement that returns no rows. */
export function NoData(): Buffer {
  return NO_DATA;
}

/** May come at any time and answers nothing. */
export function NoticeResponse(fields: ErrorFields): Buffer {
  return writeErrorFields(new MessageWriter(BACKEND.NoticeResponse), fields).end();
}

/** The types of a prepared statement's parameters. */
export function ParameterDescription(types: readonly number[]): Buffer {
  const writer = new MessageWriter(BACKEND.ParameterDescription).count(types.length);
  for (const oid of types) writer.int32(oid | 0);
  return writer.end();
}

/** Reports the value of a setting that clients follow; may come at any time. */
export function ParameterStatus(name: string, value: string): Buffer {
  return new MessageWriter(BACKEND.ParameterStatus).cstring(name).cstring(value).end();
}

/** The setting and its new value. */
export function readParameterStatus(message: Buffer): { readonly name: string; readonly value: string } {
  const reader = new BodyReader(message, 'ParameterStatus');
  const name = reader.cstring('name');
  const value = reader.cstring('value');
  reader.expectEnd();
  return { name, value };
}

/** Answers Parse. */
export function ParseComplete(): Buffer {
  return PARSE_COMPLETE;
}

/** Ends the answer to an Execute whose limit of rows was reached: the portal has more. */
export function PortalSuspended(): Buffer {
  return PORTAL_SUSPENDED;
}

/** Ends the answer to a Query or Sync, and the start of a connection. */
export function ReadyForQuery(status: TransactionStatus): Buffer {
  return READY_FOR_QUERY[status];
}

/** Length of a whole ReadyForQuery. */
export const READY_BYTES = 6;

/** Whether a transaction is open, by the ReadyForQuery that `bytes` end with, from `start` on. */
export function readReadyForQuery(bytes: Buffer, start = 0): TransactionStatus {
  const reader = new BodyReader(bytes, 'ReadyForQuery', start + TAG_AND_LENGTH_BYTES);
  const status = String.fromCharCode(reader.byte('transaction status'));
  if (status !== 'I' && status !== 'T' && status !== 'E') {
    throw reader.violation('bad-value', 'transaction status', reader.offset - 1);
  }
  reader.expectEnd();
  return status;
}

/** A column as RowDescription tells it. */
export interface ColumnFields {
  readonly name: string;
  readonly typeOid: number;
  /** Bytes of a value of the type; -1: they vary. */
  readonly typeSize: number;
  /** 0 text, 1 binary. */
  readonly format: number;
}

/** The columns of the rows that follow; none of them belongs to a table. */
export function RowDescription(columns: readonly ColumnFields[]): Buffer {
  const writer = new MessageWriter(BACKEND.RowDescription).count(columns.length);
  for (const { name, typeOid, typeSize, format } of columns) {
    writer.cstring(name).int32(0).int16(0);
    writer
      .int32(typeOid | 0)
      .int16(typeSize)
      .int32(-1)
      .int16(format);
  }
  return writer.end();
}

function readyForQuery(status: TransactionStatus): Buffer {
  return new MessageWriter(BACKEND.ReadyForQuery).text(status).end();
}

function readAuthenticationFields(code: number, reader: BodyReader): Authentication {
  switch (code) {
    case AUTHENTICATION.ok:
      return { kind: 'ok' };
    case AUTHENTICATION.cleartextPassword:
      return { kind: 'cleartext-password' };
    case AUTHENTICATION.md5Password:
      return { kind: 'md5-password', salt: Buffer.from(reader.bytes(4, 'salt')) };
    case AUTHENTICATION.sasl:
      return { kind: 'sasl', mechanisms: readMechanisms(reader) };
    case AUTHENTICATION.saslContinue:
      return { kind: 'sasl-continue', data: reader.rest().toString('utf8') };
    case AUTHENTICATION.saslFinal:
      return { kind: 'sasl-final', data: reader.rest().toString('utf8') };
    default: // methods are added over the years; the caller says which one it met
      reader.rest();
      return { kind: 'unsupported', code };
  }
}

function readMechanisms(reader: BodyReader): readonly string[] {
  const mechanisms: string[] = [];
  for (;;) {
    const mechanism = reader.cstring('mechanism');
    if (mechanism === '') return mechanisms;
    mechanisms.push(mechanism);
  }
}
