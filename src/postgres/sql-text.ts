/** Spelling of identifiers and literals in SQL text, for the statements that take no parameters (CREATE ROLE and kin). [pure] */

/** `"name"`, with quotes doubled. A NUL, which no identifier can hold, is refused. */
export function quoteIdentifier(name: string): string {
  return `"${withoutNul(name).replaceAll('"', '""')}"`;
}

/** `'text'`; text with a backslash becomes `E'…'`, so that it means the same under any standard_conforming_strings. */
export function quoteLiteral(text: string): string {
  const quoted = withoutNul(text).replaceAll("'", "''");
  return quoted.includes('\\') ? `E'${quoted.replaceAll('\\', '\\\\')}'` : `'${quoted}'`;
}

function withoutNul(text: string): string {
  if (text.includes('\0')) throw new RangeError('SQL text cannot hold a NUL character');
  return text;
}
