/**
 * What zod found, in an operator's words: the place, the key, what was expected and what stands there. Values of
 * passwords are never repeated.
 */
import type { z } from 'zod';
import { allSettings, schemaAt } from './json-schema.ts';
import { nearest } from './nearest.ts';
import type { Path, Problem, Source } from './source.ts';

/**
 * Every finding of `issues` as problems with line and column in `source`. A key that is missing because it was
 * mistyped is one mistake and reported as one.
 */
export function explainIssues(issues: readonly z.core.$ZodIssue[], source: Source): Problem[] {
  const mistyped = new Set<string>();
  const problems = issues.flatMap((issue): Problem[] => {
    const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
    if (issue.code !== 'unrecognized_keys') return [oneProblem(issue, path, source)];
    return issue.keys.map((unknown) => {
      const near = nearest(unknown, keysAt(path));
      if (near !== undefined) mistyped.add(formatPath([...path, near]));
      const message = near === undefined ? unknownKey(unknown, path) : `unknown key; did you mean ${near}?`;
      return {
        ...source.positionOf([...path, unknown], 'key'),
        key: formatPath([...path, unknown]),
        message,
      };
    });
  });
  return problems.filter(({ key, message }) => !(mistyped.has(key) && message.startsWith(MISSING)));
}

/** `bootstrap.users[0].password` */
export function formatPath(path: Path): string {
  return path
    .map((step, depth) => (typeof step === 'number' ? `[${step}]` : (depth === 0 ? '' : '.') + step))
    .join('');
}

function oneProblem(issue: z.core.$ZodIssue, path: Path, source: Source): Problem {
  const found = valueAt(source.value, path);
  const message = found === undefined ? missing(path) : wrong(issue, path, found);
  return { ...source.positionOf(path, 'value'), key: formatPath(path), message };
}

function unknownKey(unknown: string, path: Path): string {
  const elsewhere = allSettings().find(({ key }) => key.endsWith(`.${unknown}`) && !key.includes('['));
  if (elsewhere !== undefined) return `unknown key here; did you mean ${elsewhere.key}?`;
  return `unknown key; known here: ${keysAt(path).join(', ')}`;
}

function keysAt(path: Path): string[] {
  return Object.keys(schemaAt(path)?.properties ?? {});
}

const MISSING = 'is missing';

function missing(path: Path): string {
  const node = schemaAt(path);
  const example = node?.examples?.[0];
  const forExample = example === undefined ? '' : ` (for example ${path.at(-1)}: ${JSON.stringify(example)})`;
  return `${MISSING}: ${(node?.description ?? 'it is needed here').replace(/\.$/, '')}${forExample}`;
}

function wrong(issue: z.core.$ZodIssue, path: Path, found: unknown): string {
  const standing = isSecret(path) ? '' : `, found ${shown(found)}`;
  if (issue.code === 'invalid_type') {
    return `expected ${TYPE_NAMES[issue.expected] ?? issue.expected}${standing}`;
  }
  if (issue.code === 'invalid_value') {
    return `expected one of ${issue.values.map(String).join(', ')}${standing}${meant(issue.values, found)}`;
  }
  if (issue.code === 'too_small') return `${atLeast(issue.origin, issue.minimum)}${standing}`;
  if (issue.code === 'too_big') return `must be at most ${issue.maximum}${standing}`;
  return `${issue.message}${standing}`;
}

function atLeast(origin: string, minimum: number | bigint): string {
  if (origin === 'string') return 'must not be empty';
  return origin === 'array' ? `needs at least ${minimum} entry` : `must be at least ${minimum}`;
}

function meant(values: readonly unknown[], found: unknown): string {
  const near = typeof found === 'string' ? nearest(found, values.map(String)) : undefined;
  return near === undefined ? '' : `; did you mean ${near}?`;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a section with keys',
  record: 'a section with keys',
  array: 'a list',
};

function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a section with keys';
  if (typeof value !== 'string') return String(value);
  return value === ''
    ? 'an empty text'
    : `the text "${value.length > 60 ? `${value.slice(0, 60)}…` : value}"`;
}

function isSecret(path: Path): boolean {
  return path.at(-1) === 'password' || path.at(-2) === 'authentication';
}

function valueAt(value: unknown, path: Path): unknown {
  let found = value;
  for (const step of path) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = Reflect.get(found, step);
  }
  return found;
}
