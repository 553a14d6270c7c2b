/**
 * Cuts text of the admin console into tokens. This is the console's own small language, not SQL: words, "quoted names",
 * 'texts', signs; comments and blanks are nothing. Words keep their case, since databases are named by them.
 */

export type Token =
  | { readonly kind: 'word'; readonly text: string }
  /** In double quotes: a name, never a keyword. */
  | { readonly kind: 'name'; readonly text: string }
  /** In single quotes. */
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'sign'; readonly text: string };

/** The tokens; undefined where a quote or a comment does not end. */
export function tokensOf(text: string): readonly Token[] | undefined {
  const tokens: Token[] = [];
  let offset = 0;
  while (offset < text.length) {
    const blank = blankEnd(text, offset);
    if (blank === undefined) return undefined;
    if (blank > offset) {
      offset = blank;
      continue;
    }
    const first = text.charAt(offset);
    if (first === '"' || first === "'") {
      const quoted = quotedFrom(text, offset, first);
      if (quoted === undefined) return undefined;
      tokens.push({ kind: first === '"' ? 'name' : 'text', text: quoted.text });
      offset = quoted.end;
      continue;
    }
    const word = WORD.exec(text.slice(offset, offset + WORD_MAX))?.[0];
    tokens.push(word === undefined ? { kind: 'sign', text: first } : { kind: 'word', text: word });
    offset += word?.length ?? 1;
  }
  return tokens;
}

/** Longer than any name that PostgreSQL has; what is longer is cut into several words, and so refused. */
const WORD_MAX = 256;
const WORD = /^(?:[A-Za-z0-9_.$]|[^\0-\u007f])+/;
const BLANK = /^\s+/;

/** Where the blank or the comment that begins at `offset` ends; undefined: never. */
function blankEnd(text: string, offset: number): number | undefined {
  const rest = text.slice(offset, offset + WORD_MAX);
  const blank = BLANK.exec(rest)?.[0];
  if (blank !== undefined) return offset + blank.length;
  if (rest.startsWith('--')) {
    const end = text.indexOf('\n', offset);
    return end === -1 ? text.length : end + 1;
  }
  return rest.startsWith('/*') ? commentEnd(text, offset) : offset;
}

/** Comments nest, as in PostgreSQL. */
function commentEnd(text: string, start: number): number | undefined {
  let depth = 0;
  for (let offset = start; offset < text.length; offset += 1) {
    const two = text.slice(offset, offset + 2);
    if (two === '/*') depth += 1;
    else if (two === '*/') depth -= 1;
    else continue;
    offset += 1;
    if (depth === 0) return offset + 1;
  }
  return undefined;
}

/** A doubled quote inside stands for itself. */
function quotedFrom(
  text: string,
  start: number,
  quote: string,
): { readonly text: string; readonly end: number } | undefined {
  let quoted = '';
  let from = start + 1;
  for (;;) {
    const end = text.indexOf(quote, from);
    if (end === -1) return undefined;
    quoted += text.slice(from, end);
    if (text.charAt(end + 1) !== quote) return { text: quoted, end: end + 1 };
    quoted += quote;
    from = end + 2;
  }
}
