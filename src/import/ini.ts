/**
 * The text of a pgbouncer.ini: sections, `key = value`, comments from `;` or `#` at the begin of a line, `%include FILE`.
 * And the connection strings in it: `key=value` pairs, values in single quotes with `''` for one quote.
 */
import type { Entry, Files, Place } from './note.ts';

const INCLUDES_DEEP_MAX = 10;

export interface Ini {
  readonly entries: readonly Entry[];
  /** Lines that are none of the format, and includes that could not be followed, with the reason. */
  readonly strange: readonly (Entry & { readonly says: string })[];
  /** Included files that were not given. */
  readonly wants: readonly string[];
}

/** Reads `file` and what it includes, in order, as PgBouncer does: a section goes on into an included file. */
export function readIni(file: string, text: string, files: Files): Ini {
  const entries: Entry[] = [];
  const strange: (Entry & { readonly says: string })[] = [];
  const wants: string[] = [];
  let section = '';
  const read = (name: string, body: string, depth: number): void => {
    for (const [index, raw] of body.split('\n').entries()) {
      const line = raw.trim();
      const place: Place = { file: name, line: index + 1 };
      if (line === '' || /^[;#]/.test(line)) continue;
      const head = /^\[([^\]]+)\]/.exec(line);
      if (head?.[1] !== undefined) {
        section = head[1].trim().toLowerCase();
        continue;
      }
      const include = /^%include\s+(.+)$/.exec(line)?.[1]?.trim();
      if (include !== undefined) {
        const entry = { ...place, section, key: '%include', value: include };
        const included = files.get(include);
        if (depth >= INCLUDES_DEEP_MAX) strange.push({ ...entry, says: 'is included too deep; left out' });
        else if (included !== undefined) read(included.path, included.text, depth + 1);
        else if (files.has(include)) strange.push({ ...entry, says: 'cannot be read; left out' });
        else wants.push(include);
        continue;
      }
      const pair = /^("(?:[^"]|"")*"|[^=\s]+)\s*=\s*(.*)$/.exec(line);
      if (pair?.[1] === undefined) {
        strange.push({ ...place, section, key: line, value: '', says: 'is no key = value; left out' });
        continue;
      }
      entries.push({ ...place, section, key: unquoted(pair[1]), value: pair[2] ?? '' });
    }
  };
  read(file, text, 0);
  return { entries, strange, wants };
}

/** The pairs of a connection string; undefined if it is none. */
export function readConnectionString(value: string): readonly (readonly [string, string])[] | undefined {
  const pairs: (readonly [string, string])[] = [];
  const pair = /\s*([a-z_]+)\s*=\s*('(?:[^']|'')*'|[^\s']*)/gy;
  let end = 0;
  for (let match = pair.exec(value); match !== null; match = pair.exec(value)) {
    const found = match[2] ?? '';
    pairs.push([match[1] ?? '', found.startsWith("'") ? found.slice(1, -1).replaceAll("''", "'") : found]);
    end = pair.lastIndex;
  }
  return value.slice(end).trim() === '' ? pairs : undefined;
}

const unquoted = (key: string): string =>
  key.startsWith('"') ? key.slice(1, -1).replaceAll('""', '"') : key;
