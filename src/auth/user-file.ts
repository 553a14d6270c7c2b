/**
 * PgBouncer's userlist.txt: `"user" "secret"` a line, a quote in quotes doubled; what follows is ignored, as there. `;`
 * begins a comment at the start of a line. The secret is a SCRAM verifier, `md5…`, or the password itself.
 */
import type { RuleProblem } from './hba.ts';
import { parseSecret, type Secret } from './secret.ts';

export interface UserFile {
  /** Undefined: known, but without a password. */
  readonly users: ReadonlyMap<string, Secret | undefined>;
  /** How most of them prove themselves: strangers are asked the same, or they would learn who exists. */
  readonly usualKind: 'scram' | 'md5';
}

const ENTRY = /^\s*"((?:[^"]|"")+)"\s+"((?:[^"]|"")*)"(?:\s.*)?$/;

export function parseUserFile(text: string): {
  readonly file: UserFile;
  readonly problems: readonly RuleProblem[];
} {
  const users = new Map<string, Secret | undefined>();
  const problems: RuleProblem[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(?:;.*|#.*)?$/.test(line)) continue;
    const [, user, secret] = ENTRY.exec(line) ?? [];
    // No word of the line is repeated: it may hold a password.
    if (user === undefined || secret === undefined)
      problems.push({ line: index + 1, message: 'expected "user" "secret"' });
    else users.set(unquoted(user), parseSecret(unquoted(secret)));
  }
  const md5s = [...users.values()].filter((secret) => secret?.kind === 'md5').length;
  return { file: { users, usualKind: md5s * 2 > users.size ? 'md5' : 'scram' }, problems };
}

function unquoted(text: string): string {
  return text.replaceAll('""', '"');
}
