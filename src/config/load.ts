/**
 * From the file to a `Config`, or to everything that is wrong with it: syntax, keys, types and what does not fit
 * together, all at once, so that nobody corrects a file one error at a time.
 */
import { readFileSync } from 'node:fs';
import { describe, MatriarchError } from '../base/index.ts';
import { crossCheck, type Finding, missingSections, type Purpose } from './cross-checks.ts';
import { explainIssues, formatPath } from './explain.ts';
import { type SchemaNode, schemaAt } from './json-schema.ts';
import { type Config, configSchema } from './schema.ts';
import { type Path, type Problem, parseSource, type Source } from './source.ts';

/** The part of the environment that belongs to the configuration. */
export interface ConfigEnvironment {
  readonly LOCAL_DATACENTER?: string | undefined;
}

export type Loaded =
  | { readonly outcome: 'ok'; readonly config: Config; readonly datacenter: string }
  | { readonly outcome: 'problems'; readonly problems: readonly Problem[] };

/** Reads and checks a file. Throws `config-unreadable` only; what is wrong inside is the value `problems`. */
export function loadConfig(path: string, env: ConfigEnvironment, purpose: Purpose = 'any'): Loaded {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new MatriarchError('config-unreadable', `cannot read ${path}: ${describe(cause)}`, { cause });
  }
  return checkConfig(text, env, purpose);
}

/** As `loadConfig`, for text that was read already. */
export function checkConfig(text: string, env: ConfigEnvironment, purpose: Purpose = 'any'): Loaded {
  const source = parseSource(text);
  if (source.value === undefined) return { outcome: 'problems', problems: source.problems };
  const value = withEnvironment(withoutEmptySettings(source.value, []), env);
  const parsed = configSchema.safeParse(value);
  const problems = [
    ...source.problems,
    ...(parsed.success
      ? placed(crossCheck(parsed.data), source)
      : explainIssues(parsed.error.issues, { ...source, value })),
    ...(typeof value === 'object' && value !== null && !Array.isArray(value)
      ? placed(missingSections(value, purpose), source)
      : []),
  ];
  if (!parsed.success || problems.length > 0)
    return { outcome: 'problems', problems: problems.sort(byPosition) };
  return { outcome: 'ok', config: parsed.data, datacenter: parsed.data.datacenter };
}

/** `file:line:column: key: what is wrong`, one line a problem. */
export function formatProblems(file: string, problems: readonly Problem[]): string {
  return problems
    .map(
      ({ line, column, key, message }) =>
        `${file}:${line}:${column}: ${key === '' ? '' : `${key}: `}${message}`,
    )
    .join('\n');
}

function placed(findings: readonly Finding[], source: Source): Problem[] {
  return findings.map(({ path, message }) => ({
    ...source.positionOf(path, 'value'),
    key: formatPath(path),
    message,
  }));
}

/**
 * A known key without a value (`router:` with everything under it commented out) counts as left out. Where the
 * keys are free (`bootstrap.dcs`, `tags`), a null is the operator's own and stays.
 */
function withoutEmptySettings(value: unknown, path: Path): unknown {
  if (path.length === 0 && value === null) return {};
  const node: SchemaNode | undefined = schemaAt(path);
  if (Array.isArray(value)) return value.map((item, index) => withoutEmptySettings(item, [...path, index]));
  if (typeof value !== 'object' || value === null || node?.properties === undefined) return value;
  const known = node.properties;
  const kept = Object.entries(value).filter(([key, child]) => child !== null || !Object.hasOwn(known, key));
  return Object.fromEntries(kept.map(([key, child]) => [key, withoutEmptySettings(child, [...path, key])]));
}

function withEnvironment(value: unknown, env: ConfigEnvironment): unknown {
  const local = env.LOCAL_DATACENTER ?? '';
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  return local === '' || !isMap ? value : { ...value, datacenter: local };
}

function byPosition(a: Problem, b: Problem): number {
  return a.line - b.line || a.column - b.column;
}
