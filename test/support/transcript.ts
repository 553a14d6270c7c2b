/**
 * A server's messages as lines of text, so that two conversations can be compared and read. Left out is what no two
 * servers need to agree on: process ids, cancel keys, the line in PostgreSQL's source that an error came from, the
 * numbers of tables and of types that users made. Long values are shown by their length and hash.
 */
import { createHash } from 'node:crypto';
import {
  BACKEND,
  readAuthentication,
  readCommandComplete,
  readErrorFields,
  readParameterStatus,
  readReadyForQuery,
  SQLSTATE,
} from '../../src/wire/index.ts';

const HEADER_BYTES = 5;
const SHOWN_BYTES_MAX = 120;
/** Numbers below are those of PostgreSQL's own objects, equal everywhere. */
const FIRST_NORMAL_OID = 16_384;

/** One line; the message is whole: tag, length, body. */
export function renderMessage(message: Buffer): string {
  const tag = message[0] ?? 0;
  switch (tag) {
    case BACKEND.Authentication:
      return `Authentication ${readAuthentication(message).kind}`;
    case BACKEND.BackendKeyData:
      return 'BackendKeyData';
    case BACKEND.BindComplete:
      return 'BindComplete';
    case BACKEND.CloseComplete:
      return 'CloseComplete';
    case BACKEND.CommandComplete:
      return `CommandComplete ${readCommandComplete(message)}`;
    case BACKEND.CopyData:
      return `CopyData ${shown(message.subarray(HEADER_BYTES))}`;
    case BACKEND.CopyDone:
      return 'CopyDone';
    case BACKEND.CopyInResponse:
      return `CopyInResponse ${message.toString('hex', HEADER_BYTES)}`;
    case BACKEND.CopyOutResponse:
      return `CopyOutResponse ${message.toString('hex', HEADER_BYTES)}`;
    case BACKEND.DataRow:
      return `DataRow ${values(message, true).join(' | ')}`.trimEnd();
    case BACKEND.EmptyQueryResponse:
      return 'EmptyQueryResponse';
    case BACKEND.ErrorResponse:
      return `ErrorResponse ${fields(message)}`;
    case BACKEND.FunctionCallResponse:
      return `FunctionCallResponse ${values(message, false).join('')}`;
    case BACKEND.NoData:
      return 'NoData';
    case BACKEND.NoticeResponse:
      return `NoticeResponse ${fields(message)}`;
    case BACKEND.NotificationResponse:
      return `NotificationResponse ${shown(message.subarray(HEADER_BYTES + 4))}`;
    case BACKEND.ParameterDescription:
      return `ParameterDescription ${parameterTypes(message).join(' ')}`.trimEnd();
    case BACKEND.ParameterStatus: {
      const { name, value } = readParameterStatus(message);
      return `ParameterStatus ${name}=${value}`;
    }
    case BACKEND.ParseComplete:
      return 'ParseComplete';
    case BACKEND.PortalSuspended:
      return 'PortalSuspended';
    case BACKEND.ReadyForQuery:
      return `ReadyForQuery ${readReadyForQuery(message)}`;
    case BACKEND.RowDescription:
      return `RowDescription ${columns(message).join(' | ')}`.trimEnd();
    default:
      return `tag ${tag} ${shown(message.subarray(HEADER_BYTES))}`;
  }
}

function shown(bytes: Buffer): string {
  if (bytes.length <= SHOWN_BYTES_MAX) return JSON.stringify(bytes.toString('latin1'));
  return `${bytes.length} bytes ${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`;
}

/** Values with their lengths: of a row after their count, of a function's answer the only one. */
function values(message: Buffer, isCounted: boolean): string[] {
  let offset = HEADER_BYTES + (isCounted ? 2 : 0);
  const count = isCounted ? message.readUInt16BE(HEADER_BYTES) : 1;
  return Array.from({ length: count }, () => {
    const length = message.readInt32BE(offset);
    offset += 4;
    if (length < 0) return 'NULL';
    offset += length;
    return shown(message.subarray(offset - length, offset));
  });
}

function fields(message: Buffer): string {
  const { file: _file, line: _line, routine, ...rest } = readErrorFields(message);
  // In a failed transaction each message is refused, by a routine of its own: a Bind, or the Parse that was put before it.
  return JSON.stringify(rest.code === SQLSTATE.inFailedSqlTransaction ? rest : { ...rest, routine });
}

function oid(value: number): string {
  return value >= FIRST_NORMAL_OID ? 'own' : String(value);
}

function parameterTypes(message: Buffer): string[] {
  return Array.from({ length: message.readUInt16BE(HEADER_BYTES) }, (_, index) =>
    oid(message.readUInt32BE(HEADER_BYTES + 2 + 4 * index)),
  );
}

function columns(message: Buffer): string[] {
  let offset = HEADER_BYTES + 2;
  return Array.from({ length: message.readUInt16BE(HEADER_BYTES) }, () => {
    const end = message.indexOf(0, offset);
    const name = message.toString('utf8', offset, end);
    const at = end + 1;
    offset = at + 18;
    const table = oid(message.readUInt32BE(at));
    const place = message.readInt16BE(at + 4);
    const type = oid(message.readUInt32BE(at + 6));
    const rest = [message.readInt16BE(at + 10), message.readInt32BE(at + 12), message.readInt16BE(at + 16)];
    return `${name}:${[table, place, type, ...rest].join(',')}`;
  });
}
