/** The text of a pgpool.conf: `key = value`, values in single quotes or bare, comments from `#` on, `include 'FILE'`. */
import type { Entry, Files } from './note.ts';

const INCLUDES_DEEP_MAX = 10;

export interface PgpoolFile {
  readonly entries: readonly Entry[];
  readonly strange: readonly (Entry & { readonly says: string })[];
  readonly wants: readonly string[];
}

/** The key in lower case, for pgpool's keys are of any case; `=` may be left out. */
const LINE = /^\s*([A-Za-z_]\w*)\s*=?\s*('(?:[^'\\]|''|\\.)*'|[^\s#']*)\s*(?:#.*)?$/;

export function readPgpoolFile(file: string, text: string, files: Files): PgpoolFile {
  const entries: Entry[] = [];
  const strange: (Entry & { readonly says: string })[] = [];
  const wants: string[] = [];
  const read = (name: string, body: string, depth: number): void => {
    for (const [index, line] of body.split('\n').entries()) {
      if (/^\s*(#|$)/.test(line)) continue;
      const match = LINE.exec(line);
      const entry: Entry = {
        file: name,
        line: index + 1,
        section: '',
        key: match?.[1]?.toLowerCase() ?? line.trim(),
        value: unquoted(match?.[2] ?? ''),
      };
      if (match === null) strange.push({ ...entry, says: 'is no key = value; left out' });
      else if (entry.key !== 'include') entries.push(entry);
      else {
        const included = files.get(entry.value);
        if (depth >= INCLUDES_DEEP_MAX) strange.push({ ...entry, says: 'is included too deep; left out' });
        else if (included !== undefined) read(included.path, included.text, depth + 1);
        else if (files.has(entry.value)) strange.push({ ...entry, says: 'cannot be read; left out' });
        else wants.push(entry.value);
      }
    }
  };
  read(file, text, 0);
  return { entries, strange, wants };
}

function unquoted(value: string): string {
  if (!value.startsWith("'")) return value;
  return value.slice(1, -1).replace(/''|\\(.)/g, (found, escaped?: string) => escaped ?? found.slice(1));
}
