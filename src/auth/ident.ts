/**
 * User maps in the format of pg_ident.conf: as which roles the owner of a certificate may log in. A name that begins
 * with a slash is a regular expression (JavaScript's; `\1` in the role is its first group). Without a map the names
 * must be equal. Manual: "User Name Maps".
 */
import type { RuleProblem } from './hba.ts';
import { splitLines } from './words.ts';

export interface IdentRule {
  readonly map: string;
  /** The name in the certificate. */
  readonly systemUser: string | RegExp;
  /** The role; `\1` in it is the first group of the expression. */
  readonly role: string;
}

export function parseIdent(text: string): {
  readonly rules: readonly IdentRule[];
  readonly problems: readonly RuleProblem[];
} {
  const rules: IdentRule[] = [];
  const problems: RuleProblem[] = [];
  for (const { line, fields, isBroken } of splitLines(text)) {
    const [map, system, role, ...more] = fields.map((field) => field[0]);
    if (isBroken || map === undefined || system === undefined || role === undefined || more.length > 0) {
      problems.push({ line, message: 'expected a map, a name in the certificate and a role' });
      continue;
    }
    const systemUser =
      system.text.startsWith('/') && !system.isQuoted ? toRegExp(system.text.slice(1)) : system.text;
    if (systemUser === undefined)
      problems.push({ line, message: `"${system.text}" is not a regular expression` });
    else rules.push({ map: map.text, systemUser, role: role.text });
  }
  return { rules, problems };
}

/** Whether the owner of a certificate with this name may log in as `role`. */
export function identAllows(
  rules: readonly IdentRule[],
  { map, name, role }: { readonly map: string | undefined; readonly name: string; readonly role: string },
): boolean {
  if (map === undefined) return name === role;
  return rules.some((rule) => {
    if (rule.map !== map) return false;
    if (typeof rule.systemUser === 'string') return rule.systemUser === name && rule.role === role;
    const match = rule.systemUser.exec(name);
    return match !== null && rule.role.replace('\\1', () => match[1] ?? '') === role;
  });
}

function toRegExp(source: string): RegExp | undefined {
  try {
    return new RegExp(source, 'u');
  } catch {
    return undefined; // told with its line
  }
}
