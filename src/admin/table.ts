/**
 * Tables of the console: columns with a type, each with how its value is read from a row's fact, so that name and value
 * stand on one line. And their bytes: text or binary, as a client asks for them.
 */
import { unreachable } from '../base/index.ts';
import { type ColumnFields, DataRow } from '../wire/index.ts';
import type { AdminFacts } from './facts.ts';

export type ColumnType = 'text' | 'int4' | 'int8' | 'numeric';

/** Numbers are whole. */
export type Cell = string | number | undefined;

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
}

export interface Table {
  readonly columns: readonly Column[];
  readonly rows: (facts: AdminFacts) => readonly (readonly Cell[])[];
}

/** A column of rows that are made of `Row`. */
export interface ColumnOf<Row> extends Column {
  readonly of: (row: Row) => Cell;
}

/** The kinds of columns, for rows that are known. */
interface ColumnKinds<Row> {
  readonly text: typeof text<Row>;
  readonly int4: typeof int4<Row>;
  readonly int8: typeof int8<Row>;
  readonly numeric: typeof numeric<Row>;
}

/** Makes columns of rows that are made of `Row`, where several tables share them. */
export function columnsFor<Row>(): ColumnKinds<Row> {
  return { text, int4, int8, numeric };
}

/** A table with a row for each of what `list` gives. */
export function tableOf<Row>(
  list: (facts: AdminFacts) => readonly Row[],
  columnsOf: (kinds: ColumnKinds<Row>) => readonly ColumnOf<Row>[],
): Table {
  const columns = columnsOf(columnsFor());
  return {
    columns: columns.map(({ name, type }) => ({ name, type })),
    rows: (facts) => list(facts).map((row) => columns.map(({ of }) => of(row))),
  };
}

function text<Row>(name: string, of: (row: Row) => string | undefined): ColumnOf<Row> {
  return { name, type: 'text', of };
}

function int4<Row>(name: string, of: (row: Row) => number): ColumnOf<Row> {
  return { name, type: 'int4', of };
}

function int8<Row>(name: string, of: (row: Row) => number | undefined): ColumnOf<Row> {
  return { name, type: 'int8', of };
}

function numeric<Row>(name: string, of: (row: Row) => number): ColumnOf<Row> {
  return { name, type: 'numeric', of };
}

/** Columns as RowDescription has them; `formats` as a Bind gives them: none is text, one is for all. */
export function describeColumns(
  columns: readonly Column[],
  formats: readonly number[],
): readonly ColumnFields[] {
  return columns.map(({ name, type }, index) => ({
    name,
    typeOid: TYPES[type].oid,
    typeSize: TYPES[type].size,
    format: formatOf(formats, index),
  }));
}

/** A row as DataRow. */
export function rowBytes(
  columns: readonly Column[],
  cells: readonly Cell[],
  formats: readonly number[],
): Buffer {
  return DataRow(
    columns.map(({ type }, index) => {
      const cell = cells[index];
      if (cell === undefined) return undefined;
      return formatOf(formats, index) === 0 ? Buffer.from(asText(type, cell)) : asBinary(type, cell);
    }),
  );
}

const TYPES: Readonly<Record<ColumnType, { readonly oid: number; readonly size: number }>> = {
  text: { oid: 25, size: -1 },
  int4: { oid: 23, size: 4 },
  int8: { oid: 20, size: 8 },
  numeric: { oid: 1700, size: -1 },
};

const INT4_MAX = 2 ** 31 - 1;

function formatOf(formats: readonly number[], index: number): number {
  return formats.length === 1 ? (formats[0] ?? 0) : (formats[index] ?? 0);
}

/** PgBouncer's type of counts and bytes is often int4: what is more is shown as the most. */
function asText(type: ColumnType, cell: string | number): string {
  if (typeof cell === 'string') return cell;
  return String(type === 'int4' ? Math.min(cell, INT4_MAX) : cell);
}

function asBinary(type: ColumnType, cell: string | number): Buffer {
  if (typeof cell === 'string') return Buffer.from(cell);
  switch (type) {
    case 'text':
      return Buffer.from(String(cell));
    case 'int4': {
      const bytes = Buffer.alloc(4);
      bytes.writeInt32BE(Math.min(cell, INT4_MAX));
      return bytes;
    }
    case 'int8': {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64BE(BigInt(cell));
      return bytes;
    }
    case 'numeric':
      return binaryNumeric(cell);
  }
  return unreachable(type);
}

const NUMERIC_BASE = 10_000;
const NUMERIC_HEADER_BYTES = 8;

/** numeric_send: number of base-10000 digits, weight of the first, sign, scale, the digits. The value is not negative. */
function binaryNumeric(value: number): Buffer {
  const digits: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / NUMERIC_BASE))
    digits.unshift(rest % NUMERIC_BASE);
  const bytes = Buffer.alloc(NUMERIC_HEADER_BYTES + digits.length * 2);
  bytes.writeInt16BE(digits.length, 0);
  bytes.writeInt16BE(Math.max(0, digits.length - 1), 2);
  for (const [index, digit] of digits.entries()) bytes.writeInt16BE(digit, NUMERIC_HEADER_BYTES + index * 2);
  return bytes;
}
