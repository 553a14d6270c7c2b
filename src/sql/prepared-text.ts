/**
 * What stands behind `PREPARE name AS` in a text that the grammar has taken for one PREPARE: with that, the session can
 * prepare it anywhere. Undefined where the types of parameters are named, since the protocol wants them as numbers, and
 * where the name is written with Unicode escapes. Pure.
 */
import { blanksEnd } from './head-comment.ts';

export function textOfPrepared(sql: string): string | undefined {
  const name = wordEnd(sql, blanksEnd(sql, 0), 'prepare');
  const as = name === undefined ? undefined : nameEnd(sql, blanksEnd(sql, name));
  const text = as === undefined ? undefined : wordEnd(sql, blanksEnd(sql, as), 'as');
  return text === undefined ? undefined : sql.slice(text);
}

/** Behind the keyword that begins at `at`. */
function wordEnd(sql: string, at: number, word: string): number | undefined {
  const end = at + word.length;
  return sql.slice(at, end).toLowerCase() === word ? end : undefined;
}

/** Behind the name that begins at `at`. */
function nameEnd(sql: string, at: number): number | undefined {
  if (sql.charAt(at) === '"') {
    for (let end = sql.indexOf('"', at + 1); end > 0; end = sql.indexOf('"', end + 2)) {
      if (sql.charAt(end + 1) !== '"') return end + 1;
    }
    return undefined;
  }
  let end = at;
  while (NAME.test(sql.charAt(end))) end += 1;
  return sql.charAt(end) === '&' ? undefined : end;
}

const NAME = /[A-Za-z0-9_$\u0080-\uffff]/;
