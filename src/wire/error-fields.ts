/** The fields of ErrorResponse and NoticeResponse. Manual: "Error and Notice Message Fields". */
import { BodyReader } from './reader.ts';
import type { MessageWriter } from './writer.ts';

/** A diagnosis of a server, or one of ours for a client. Absent fields are not sent. */
export interface ErrorFields {
  /** ERROR, FATAL, PANIC; WARNING, NOTICE, DEBUG, INFO, LOG. Untranslated where the server says so (since 9.6). */
  readonly severity: string;
  /** SQLSTATE. */
  readonly code: string;
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
  /** Character index into the query, from 1, as text. */
  readonly position?: string;
  readonly internalPosition?: string;
  readonly internalQuery?: string;
  readonly where?: string;
  readonly schema?: string;
  readonly table?: string;
  readonly column?: string;
  readonly dataType?: string;
  readonly constraint?: string;
  readonly file?: string;
  readonly line?: string;
  readonly routine?: string;
}

/** Letters in the order PostgreSQL sends them. `V` is the severity that no translation touches. */
const LETTERS: readonly (readonly [letter: string, field: keyof ErrorFields])[] = [
  ['S', 'severity'],
  ['V', 'severity'],
  ['C', 'code'],
  ['M', 'message'],
  ['D', 'detail'],
  ['H', 'hint'],
  ['P', 'position'],
  ['p', 'internalPosition'],
  ['q', 'internalQuery'],
  ['W', 'where'],
  ['s', 'schema'],
  ['t', 'table'],
  ['c', 'column'],
  ['d', 'dataType'],
  ['n', 'constraint'],
  ['F', 'file'],
  ['L', 'line'],
  ['R', 'routine'],
];

const FIELD_OF_LETTER = new Map(LETTERS.map(([letter, field]) => [letter.charCodeAt(0), field]));

/** Writes the body of either message. */
export function writeErrorFields(writer: MessageWriter, fields: ErrorFields): MessageWriter {
  for (const [letter, field] of LETTERS) {
    const value = fields[field];
    // Texts of other origins end up in messages; what follows a NUL in one would read as further fields.
    if (value !== undefined) writer.text(letter).cstring(value.replaceAll('\0', ''));
  }
  return writer.byte(0);
}

/** Reads the body of either message. Letters that the manual may add later are skipped, as it asks. */
export function readFields(message: Buffer, name: string): ErrorFields {
  const reader = new BodyReader(message, name);
  const fields: { -readonly [Field in keyof ErrorFields]: ErrorFields[Field] } = {
    severity: '',
    code: '',
    message: '',
  };
  for (;;) {
    const letter = reader.byte('field type');
    if (letter === 0) break;
    const field = FIELD_OF_LETTER.get(letter);
    if (field === undefined) reader.skipCstring('unknown field');
    else fields[field] = reader.cstring(field);
  }
  reader.expectEnd();
  return fields;
}
