/** The files beside a pooler's configuration: user lists, and host rules in the form of pg_hba.conf. */
import type { Note, SourceFile } from './note.ts';

export interface ListedUser {
  readonly name: string;
  /** Plain, `md5…` or `SCRAM-SHA-256$…`. */
  readonly password: string;
}

/** PgBouncer's userlist.txt: `"name" "password"`, quotes in them doubled, the rest of the line ignored. */
export function readUserList(text: string): readonly ListedUser[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*"((?:[^"]|"")+)"\s+"((?:[^"]|"")*)"/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined) return [];
    return [{ name: match[1].replaceAll('""', '"'), password: match[2].replaceAll('""', '"') }];
  });
}

export function renderUserList(users: readonly ListedUser[]): string {
  return users.map(({ name, password }) => `${quoted(name)} ${quoted(password)}\n`).join('');
}

const quoted = (value: string): string => `"${value.replaceAll('"', '""')}"`;

export const isPlain = (password: string): boolean =>
  password !== '' && !/^md5[0-9a-f]{32}$/.test(password) && !password.startsWith('SCRAM-SHA-256$');

/**
 * pgpool's pool_passwd: `name:TEXTpassword`, `name:md5…`, `name:AES…`. The last can be read with pgpool's key only, and
 * is noted.
 */
export function readPoolPasswd(file: SourceFile): {
  readonly users: readonly ListedUser[];
  readonly notes: readonly Note[];
} {
  const users: ListedUser[] = [];
  const notes: Note[] = [];
  for (const [index, line] of file.text.split('\n').entries()) {
    const match = /^([^:#\s][^:]*):(.+)$/.exec(line.trim());
    if (match?.[1] === undefined || match[2] === undefined) continue;
    const name = match[1];
    const stored = match[2];
    if (stored.startsWith('AES')) {
      const says =
        'is encrypted with the key in .pgpoolkey; give the password in clear, or as a SCRAM verifier';
      notes.push({ file: file.path, line: index + 1, key: name, value: '…', says });
      continue;
    }
    users.push({ name, password: stored.startsWith('TEXT') ? stored.slice('TEXT'.length) : stored });
  }
  return { users, notes };
}

const METHODS = ['trust', 'reject', 'scram-sha-256', 'md5', 'password', 'cert'];

/** What in host rules cannot be kept; the file itself stays in use. */
export function noteHostRules(file: SourceFile): readonly Note[] {
  const notes: Note[] = [];
  for (const [index, raw] of file.text.split('\n').entries()) {
    const line = raw.replace(/#.*$/, '').trim();
    if (line === '') continue;
    const add = (says: string): void =>
      void notes.push({ file: file.path, line: index + 1, key: line, value: '', says });
    const [type = '', databases = '', users = '', ...rest] = line.split(/\s+/);
    if (!/^(local|host|hostssl|hostnossl)$/.test(type)) {
      add(`rules of the type ${type} are not known`);
      continue;
    }
    const method = methodOf(type, rest);
    if (!METHODS.includes(method)) add(`there is no method ${method}; known are ${METHODS.join(', ')}`);
    for (const names of [databases, users]) {
      if (names.includes('@')) add('files of names (@) are not read; write the names into the rule');
    }
  }
  return notes;
}

/** After the address, which may be followed by a mask of its own. */
function methodOf(type: string, [first = '', second = '', third = '']: readonly string[]): string {
  if (type === 'local') return first;
  return /^[\d.]+$|:/.test(second) ? third : second;
}
