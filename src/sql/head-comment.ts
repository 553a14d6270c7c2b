/**
 * The comment at the head of a text that speaks to the router: with the word `matriarch:` first. Other comments and blanks may stand
 * before it; one inside of another is not looked at. Asked once for each text that is parsed, so it costs nothing later.
 */

const PREFIX = 'matriarch:';
const BLANK = /\s/;

/** What it says, without the prefix; undefined: there is none. */
export function headComment(sql: string): string | undefined {
  let at = 0;
  for (;;) {
    while (at < sql.length && BLANK.test(sql.charAt(at))) at += 1;
    if (sql.startsWith('--', at)) {
      const end = sql.indexOf('\n', at);
      if (end < 0) return undefined;
      at = end + 1;
      continue;
    }
    if (!sql.startsWith('/*', at)) return undefined;
    const end = commentEnd(sql, at);
    if (end === undefined) return undefined;
    const said = sql.slice(at + 2, end - 2).trim();
    if (said.toLowerCase().startsWith(PREFIX)) return said.slice(PREFIX.length).trim();
    at = end;
  }
}

/** Behind the blanks and comments that begin at `start`, of a text that the grammar has read. */
export function blanksEnd(sql: string, start: number): number {
  let at = start;
  for (;;) {
    if (BLANK.test(sql.charAt(at))) at += 1;
    else if (sql.startsWith('--', at)) at = lineEnd(sql, at);
    else if (sql.startsWith('/*', at)) at = commentEnd(sql, at) ?? sql.length;
    else return at;
  }
}

function lineEnd(sql: string, at: number): number {
  const end = sql.indexOf('\n', at);
  return end < 0 ? sql.length : end + 1;
}

/** Comments nest. */
function commentEnd(sql: string, start: number): number | undefined {
  let depth = 0;
  for (let at = start; at < sql.length - 1; at += 1) {
    const two = sql.slice(at, at + 2);
    if (two === '/*') depth += 1;
    else if (two === '*/') depth -= 1;
    else continue;
    at += 1;
    if (depth === 0) return at + 1;
  }
  return undefined;
}
