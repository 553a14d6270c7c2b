/**
 * A template resource: a file of `conf.d` that says which template becomes which file, from which keys, and what must be
 * run. Takes confd's files as they are; says with its place what confd would pass over in silence.
 */
import { isRecord, parseDuration } from '../../base/index.ts';
import { cleanPath } from '../confd/path.ts';
import { fromText } from '../go/bytes.ts';
import { TemplateError } from '../go/errors.ts';
import { parseTemplate } from '../go/template.ts';
import { parseToml, type Problem, placeOfKey } from './toml.ts';

export interface Resource {
  /** The name of its file without `.toml`. */
  readonly name: string;
  /** In the folder of templates. */
  readonly src: string;
  /** An absolute path. */
  readonly dest: string;
  /** Keys and folders of keys, with leading slash and without the prefix. */
  readonly keys: readonly string[];
  readonly prefix: string;
  /** A name or a number; undefined: as the file has it, or as we are. */
  readonly owner: string | number | undefined;
  readonly group: string | number | undefined;
  /** Permission bits; undefined: as the file has them, or 0644. */
  readonly mode: number | undefined;
  /** Run with `/bin/sh -c`, with `{{.src}}` for the staged file and `{{.dest}}` for the other. */
  readonly checkCommand: string | undefined;
  readonly reloadCommand: string | undefined;
  readonly checkTimeoutMs: number;
  readonly reloadTimeoutMs: number;
  /** With fewer keys the file is left as it is. */
  readonly minKeys: number;
  /** With fewer members, where the template asks for the cluster, the file is left as it is. */
  readonly minMembers: number;
  /** Patterns that must each match a key, or the file is left as it is. */
  readonly require: readonly string[];
  /** After a change nothing is done until it has been quiet for so long, … */
  readonly debounceMs: number;
  /** … but no longer than this after the first. */
  readonly maxWaitMs: number;
}

export type ParsedResource =
  | { readonly outcome: 'ok'; readonly resource: Resource; readonly warnings: readonly Problem[] }
  | { readonly outcome: 'problems'; readonly problems: readonly Problem[] };

/** What a field may be, and how a problem says so; `read` gives undefined for what it may not. */
interface Field<Value> {
  readonly wanted: string;
  readonly read: (raw: unknown) => Value | undefined;
}

const field = <Value>(wanted: string, read: (raw: unknown) => Value | undefined): Field<Value> => ({
  wanted,
  read,
});
const asText = (raw: unknown): string | undefined =>
  typeof raw === 'string' && raw !== '' ? raw : undefined;
const asTexts = (raw: unknown): string[] | undefined =>
  Array.isArray(raw) && raw.every((each) => typeof each === 'string') ? raw : undefined;
const asWhole = (raw: unknown): number | undefined =>
  typeof raw === 'number' && Number.isInteger(raw) && raw >= 0 ? raw : undefined;
const asDuration = (raw: unknown): number | undefined =>
  typeof raw === 'string' ? parseDuration(raw.replace(/^(\d+)m$/, '$1min')) : undefined;

const TEXT = field('a text', asText);
const DURATION = field('a duration such as "500ms", "2s" or "1m"', asDuration);
const NUMBER = field('a number from 0', asWhole);
const COMMAND = field('a command in which only {{.src}} and {{.dest}} are filled in', asCommand);

const FIELDS = {
  src: field('a file in the folder of templates', asInnerPath),
  dest: field('an absolute path', (raw) => (asText(raw)?.startsWith('/') === true ? asText(raw) : undefined)),
  keys: field('a list of texts', asTexts),
  prefix: field('a text', (raw) => (raw === '' ? '' : asText(raw))),
  owner: TEXT,
  uid: NUMBER,
  group: TEXT,
  gid: NUMBER,
  mode: field('permissions in octal with a leading zero, such as "0644"', asMode),
  check_cmd: COMMAND,
  reload_cmd: COMMAND,
  check_timeout: DURATION,
  reload_timeout: DURATION,
  min_keys: NUMBER,
  min_members: NUMBER,
  require: field('a list of patterns of keys', asTexts),
  debounce: DURATION,
  max_wait: DURATION,
};

const DEFAULTS = { checkTimeoutMs: 30_000, reloadTimeoutMs: 60_000, debounceMs: 200, maxWaitMs: 5_000 };

/** Reads the text of one file. `name` is that of the file without its ending. */
export function parseResource(name: string, text: string): ParsedResource {
  const toml = parseToml(text);
  if (toml.outcome === 'problem') return { outcome: 'problems', problems: [toml.problem] };
  const table = toml.value['template'];
  if (!isRecord(table))
    return {
      outcome: 'problems',
      problems: [{ line: 1, column: 1, key: 'template', message: 'there is no table [template]' }],
    };
  const problem = (key: string, message: string): Problem => ({
    ...placeOfKey(text, 'template', key),
    key,
    message,
  });
  const problems: Problem[] = [];
  const read = <Value>(key: string, { wanted, read: asWanted }: Field<Value>): Value | undefined => {
    const raw = table[key];
    const value = raw === undefined ? undefined : asWanted(raw);
    if (raw !== undefined && value === undefined) problems.push(problem(key, `must be ${wanted}`));
    return value;
  };
  const keys = (read('keys', FIELDS.keys) ?? []).map(absoluteKey);
  const resource: Resource = {
    name,
    src: read('src', FIELDS.src) ?? '',
    dest: read('dest', FIELDS.dest) ?? '',
    keys,
    prefix: absoluteKey(read('prefix', FIELDS.prefix) ?? ''),
    owner: read('uid', FIELDS.uid) ?? read('owner', FIELDS.owner),
    group: read('gid', FIELDS.gid) ?? read('group', FIELDS.group),
    mode: read('mode', FIELDS.mode),
    checkCommand: read('check_cmd', FIELDS.check_cmd),
    reloadCommand: read('reload_cmd', FIELDS.reload_cmd),
    checkTimeoutMs: read('check_timeout', FIELDS.check_timeout) ?? DEFAULTS.checkTimeoutMs,
    reloadTimeoutMs: read('reload_timeout', FIELDS.reload_timeout) ?? DEFAULTS.reloadTimeoutMs,
    minKeys: read('min_keys', FIELDS.min_keys) ?? (keys.length === 0 ? 0 : 1),
    minMembers: read('min_members', FIELDS.min_members) ?? 1,
    require: (read('require', FIELDS.require) ?? []).map(absoluteKey),
    debounceMs: read('debounce', FIELDS.debounce) ?? DEFAULTS.debounceMs,
    maxWaitMs: read('max_wait', FIELDS.max_wait) ?? DEFAULTS.maxWaitMs,
  };
  for (const key of ['src', 'dest'] as const)
    if (table[key] === undefined) problems.push(problem(key, 'is missing'));
  if (problems.length > 0) return { outcome: 'problems', problems: problems.sort((a, b) => a.line - b.line) };
  return { outcome: 'ok', resource, warnings: warningsOf(table, problem) };
}

function warningsOf(
  table: Readonly<Record<string, unknown>>,
  problem: (key: string, message: string) => Problem,
): Problem[] {
  const unknown = Object.keys(table)
    .filter((key) => !(key in FIELDS))
    .map((key) => problem(key, 'is not known and does nothing'));
  const doubled = [['owner', 'uid'] as const, ['group', 'gid'] as const]
    .filter((pair) => pair.every((key) => table[key] !== undefined))
    .map(([name, id]) => problem(name, `does nothing beside ${id}`));
  return [...unknown, ...doubled];
}

/** With one leading slash and no other that means nothing. */
function absoluteKey(key: string): string {
  return cleanPath(`/${key}`);
}

function asInnerPath(raw: unknown): string | undefined {
  const path = asText(raw);
  if (path === undefined) return undefined;
  const clean = cleanPath(path);
  return clean.startsWith('/') || clean.startsWith('..') || clean === '.' ? undefined : clean;
}

/** A mode without the zero is decimal to confd, and never what was meant. */
function asMode(raw: unknown): number | undefined {
  const digits = typeof raw === 'string' ? /^0o?([0-7]{1,4})$/.exec(raw)?.[1] : undefined;
  return digits === undefined ? undefined : Number.parseInt(digits, 8);
}

function asCommand(raw: unknown): string | undefined {
  const command = asText(raw);
  try {
    if (command !== undefined) parseTemplate('command', fromText(command));
    return command;
  } catch (error) {
    if (error instanceof TemplateError) return undefined;
    throw error;
  }
}
