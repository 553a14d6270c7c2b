/**
 * What a prepared statement takes and gives: how many parameters; names, types and modifiers of its columns, as PostgreSQL
 * compares them before it says "cached plan must not change result type". A client that was told the columns once decodes
 * by them, so a statement that is prepared anew for it elsewhere must still have them. Pure.
 */
import { createHash } from 'node:crypto';

/** Compared as text. */
export type Shape = string;

const HEADER_BYTES = 5;
/** Of a column, behind its name: table, column, type, size, modifier, format. */
const TYPE_AT = 6;
const MODIFIER_AT = 12;
const COLUMN_BYTES = 18;

/** The whole ParameterDescription says how many there are. */
export function parameterCount(message: Buffer): number {
  return message.readUInt16BE(HEADER_BYTES);
}

/** Of a statement with so many parameters; without a RowDescription it gives no rows. */
export function shapeOf(parameters: number, rows?: Buffer): Shape {
  return rows === undefined ? String(parameters) : `${parameters} ${columnsOf(rows)}`;
}

/** How many parameters a statement of this shape takes. */
export function parametersIn(shape: Shape): number {
  return Number.parseInt(shape, 10);
}

function columnsOf(message: Buffer): string {
  const hash = createHash('sha256');
  const count = message.readUInt16BE(HEADER_BYTES);
  let at = HEADER_BYTES + 2;
  for (let index = 0; index < count; index += 1) {
    const end = message.indexOf(0, at) + 1;
    hash.update(message.subarray(at, end));
    hash.update(message.subarray(end + TYPE_AT, end + TYPE_AT + 4));
    hash.update(message.subarray(end + MODIFIER_AT, end + MODIFIER_AT + 4));
    at = end + COLUMN_BYTES;
  }
  return `${count} ${hash.digest('base64url')}`;
}
