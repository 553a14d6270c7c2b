/**
 * The rules of the file: for whom and for which statements something is wished that does not say so itself. The first
 * rule that fits is the one that holds, whole. A `*` in a name stands for any run of characters; what is compared with a
 * digest is the text as the classifier renders it, with `?` for each literal. Pure.
 */
import { readHint, type Wishes } from './hints.ts';

/** As in the file; what is left out fits all. */
export interface Rule {
  readonly user?: readonly string[] | undefined;
  readonly database?: readonly string[] | undefined;
  readonly application_name?: readonly string[] | undefined;
  readonly digest?: string | undefined;
  readonly digest_prefix?: string | undefined;
  readonly route?: string | undefined;
  readonly consistency?: string | undefined;
  readonly max_staleness?: string | undefined;
}

/** Who sends which statement. */
export interface RuleSubject {
  readonly user: string;
  readonly database: string;
  readonly applicationName: string;
  /** Asked for only where a rule speaks of digests. */
  readonly digest: () => string | undefined;
}

/** The first rule that fits, by its number from 1, and what it wishes. */
export function ruleFor(
  rules: readonly Rule[],
  subject: RuleSubject,
): { readonly number: number; readonly wishes: Wishes } | undefined {
  for (const [index, rule] of rules.entries()) {
    if (fits(rule, subject)) return { number: index + 1, wishes: wishesOf(rule) };
  }
  return undefined;
}

function fits(rule: Rule, subject: RuleSubject): boolean {
  if (!isNamed(rule.user, subject.user) || !isNamed(rule.database, subject.database)) return false;
  if (!isNamed(rule.application_name, subject.applicationName)) return false;
  if (rule.digest === undefined && rule.digest_prefix === undefined) return true;
  const digest = subject.digest();
  if (digest === undefined) return false;
  if (rule.digest !== undefined && rule.digest !== digest) return false;
  return rule.digest_prefix === undefined || digest.startsWith(rule.digest_prefix);
}

function isNamed(patterns: readonly string[] | undefined, name: string): boolean {
  return patterns === undefined || patterns.some((pattern) => isLike(pattern, name));
}

/** Whether `name` is `pattern`, in which each `*` stands for anything. */
function isLike(pattern: string, name: string): boolean {
  const [head = '', ...parts] = pattern.split('*');
  if (parts.length === 0) return pattern === name;
  if (!name.startsWith(head)) return false;
  let at = head.length;
  const last = parts.pop() ?? '';
  for (const part of parts) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}

const known = new WeakMap<Rule, Wishes>();

/** A rule is checked when the file is read: what it wishes is understood. */
function wishesOf(rule: Rule): Wishes {
  const before = known.get(rule);
  if (before !== undefined) return before;
  const { route = '', consistency, max_staleness } = rule;
  const words = [
    route,
    ...(consistency === undefined ? [] : [`consistency=${consistency}`]),
    ...(max_staleness === undefined ? [] : [`max_staleness=${max_staleness}`]),
  ];
  const { wishes } = readHint(words.join(' '));
  known.set(rule, wishes);
  return wishes;
}
