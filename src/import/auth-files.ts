/** The files beside a pooler's configuration: user lists, and host rules in the form of pg_hba.conf. */
import { parseHba } from '../auth/index.ts';
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

/** Rules that the router would refuse; the file itself stays in use. */
export function noteHostRules({ path, text }: SourceFile): readonly Note[] {
  const lines = text.split('\n');
  return parseHba(text).problems.map(({ line, message }) => {
    const rule = (lines[line - 1] ?? '').replace(/#.*$/, '').trim();
    return { file: path, line, key: rule, value: '', says: message };
  });
}
