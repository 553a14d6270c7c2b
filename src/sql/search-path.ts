/** The session's search_path as a value: which schemas a bare name is looked for in, in order. */

/** `any`: it is not known, so a name may be that of any schema. */
export type SearchPath = readonly string[] | 'any';

/** What decides it: the setting's text, and who the session is, for `"$user"`. */
export interface SearchPathSetting {
  readonly text: string | undefined;
  readonly role: string | undefined;
}

export function searchPathOf({ text, role }: SearchPathSetting): SearchPath {
  const names = text === undefined ? undefined : splitNames(text);
  if (names === undefined) return 'any';
  if (names.includes(USER) && role === undefined) return 'any';
  const schemas = names.map((name) => (name === USER ? (role ?? '') : name));
  // It is looked into first where it is not named.
  return schemas.includes(CATALOG) ? schemas : [CATALOG, ...schemas];
}

/**
 * What is created by a bare name may be temporary: PostgreSQL passes by schemas that are not there or not to be used, so
 * that the temporary one need not be the first that is named.
 */
export function isTemporaryPath(text: string): boolean {
  const names = splitNames(text);
  return names === undefined || names.some((name) => name.startsWith(TEMPORARY));
}

/** A name as it is written in a list of names. */
export function quoteName(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

const USER = '$user';
const CATALOG = 'pg_catalog';
const TEMPORARY = 'pg_temp';

/** As PostgreSQL's SplitIdentifierString; undefined: it is not a list of names. */
function splitNames(text: string): readonly string[] | undefined {
  if (text.trim() === '') return [];
  const names: string[] = [];
  const name = /\s*(?:"((?:[^"]|"")*)"|([^\s",]+))\s*(,|$)/y;
  for (;;) {
    const found = name.exec(text);
    if (found === null) return undefined;
    names.push(found[1]?.replaceAll('""', '"') ?? (found[2] ?? '').toLowerCase());
    if (found[3] === '') return names;
  }
}
