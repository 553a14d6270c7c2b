/**
 * Lines of PostgreSQL's pg_hba.conf and pg_ident.conf as words: parted by blanks, lists by commas, `"…"` taken as it is
 * (a keyword in quotes is a plain name), `#` begins a comment, a backslash at the end joins the next line. Manual: "The
 * pg_hba.conf File".
 */

/** One item of a list. */
export interface Word {
  readonly text: string;
  readonly isQuoted: boolean;
}

export interface WordLine {
  /** Of the file, from 1. */
  readonly line: number;
  /** Fields; each is a list of words parted by commas. */
  readonly fields: readonly (readonly Word[])[];
  /** A quote was not closed. */
  readonly isBroken: boolean;
}

/** Lines that say something. */
export function splitLines(text: string): readonly WordLine[] {
  const lines: WordLine[] = [];
  let joined = '';
  let first = 0;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    if (joined === '') first = index + 1;
    if (raw.endsWith('\\')) {
      joined += raw.slice(0, -1);
      continue;
    }
    const line = { line: first, ...splitLine(joined + raw) };
    joined = '';
    if (line.fields.length > 0 || line.isBroken) lines.push(line);
  }
  return lines;
}

/** A word: quoted or bare pieces without a gap; then a comma continues the list, a blank ends the field. */
const PIECE = /\s*(?:(#.*)|(,)|((?:"[^"]*"|[^\s,#"])+))/y;

function splitLine(text: string): {
  readonly fields: readonly (readonly Word[])[];
  readonly isBroken: boolean;
} {
  const fields: Word[][] = [];
  let continues = false;
  PIECE.lastIndex = 0;
  while (PIECE.lastIndex < text.length) {
    const at = PIECE.lastIndex;
    const match = PIECE.exec(text);
    if (match === null) return { fields, isBroken: text.slice(at).trim() !== '' };
    const [, comment, comma, raw] = match;
    if (comment !== undefined) break;
    if (comma !== undefined) {
      continues = true;
      continue;
    }
    const word = { text: (raw ?? '').replaceAll('"', ''), isQuoted: raw?.startsWith('"') ?? false };
    const list = fields.at(-1);
    if (continues && list !== undefined) list.push(word);
    else fields.push([word]);
    continues = false;
  }
  return { fields, isBroken: false };
}
