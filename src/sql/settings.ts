/**
 * Statements about settings and transaction options: SET, RESET, SHOW, SET TRANSACTION, BEGIN's options.
 *
 * What is replayable: a session's SET and RESET, SET ROLE and SET SESSION AUTHORIZATION among them (they are settings
 * like others, and the server checks the right again on each connection). RESET ALL too: each connection of a
 * session starts from the same defaults, so it can be run on all of them, and what was set before it need
 * not be replayed any more. Not replayable: settings that change how SQL text is read, since we read it with the
 * defaults, and serializable as a default, since every statement would then fail on a standby.
 */
import type { Isolation, SettingChange, TransactionOptions } from './classification.ts';
import { nameInCatalog } from './functions.ts';
import { isSessionSetting } from './inspect.ts';
import type { Part, ReadPart } from './part.ts';
import { quoteName } from './search-path.ts';
import { constantText, flagAt, listAt, pathAt, type Tree, textAt, treeAt } from './tree.ts';

/** SET, RESET and their kin. */
export function classifySet(statement: Tree): Part {
  const kind = textAt(statement, 'kind');
  const name = textAt(statement, 'name') ?? '';
  if (kind === 'VAR_RESET_ALL')
    return { kind: 'set', because: 'resets-all', changes: [], clears: 'settings' };
  if (kind === 'VAR_SET_MULTI') return classifySetMulti(name, listAt(statement, 'args'));

  const change = settingChange(name.toLowerCase(), kind, listAt(statement, 'args'));
  if (isTransactionSetting(change.name)) {
    return { ...setTransaction([change]), ...(isCertain(change) ? { isPlain: true } : {}) };
  }
  if (flagAt(statement, 'is_local')) {
    return { kind: 'read', because: 'transaction-local', detail: change.name };
  }
  return classifyChanges([change]);
}

/**
 * `SELECT set_config('name', 'value', false)` and nothing else: a SET by another name, whose answer is the same on every
 * connection. Undefined: it is another statement, or speaks of more than constants.
 */
export function classifySetConfig(select: Tree): Part | undefined {
  const [target, ...others] = listAt(select, 'targetList');
  if (target === undefined || others.length > 0 || !hasOnly(select, PLAIN_SELECT)) return undefined;
  const call = treeAt(treeAt(treeAt(target, 'ResTarget'), 'val'), 'FuncCall');
  if (nameInCatalog(pathAt(call, 'funcname')) !== 'set_config' || !hasOnly(call, PLAIN_CALL))
    return undefined;
  const args = listAt(call, 'args');
  if (args.some((arg) => 'TypeCast' in arg)) return undefined;
  const [name, value, isLocal] = args.map(constantText);
  if (name === undefined || value === undefined || isLocal !== 'false') return undefined;
  const change = { name: name.toLowerCase(), value };
  return isTransactionSetting(change.name) ? undefined : classifyChanges([change]);
}

const PLAIN_SELECT: ReadonlySet<string> = new Set(['targetList', 'limitOption', 'op']);
const PLAIN_CALL: ReadonlySet<string> = new Set(['funcname', 'args', 'funcformat', 'location']);

function hasOnly(tree: Tree, fields: ReadonlySet<string>): boolean {
  return Object.keys(tree).every((field) => fields.has(field));
}

/** SHOW: the same answer anywhere only if the setting is the session's. */
export function classifyShow(statement: Tree): Part {
  const name = (textAt(statement, 'name') ?? '').toLowerCase();
  return isSessionSetting(name)
    ? { kind: 'read', because: 'shows-setting', detail: name }
    : { kind: 'write', because: 'setting-of-server', detail: name };
}

/** The options of BEGIN, START TRANSACTION or SET TRANSACTION, in order; a later one wins, as in PostgreSQL. */
export function transactionOptions(options: readonly Tree[]): TransactionOptions {
  return optionsOf(options.map(changeOfOption));
}

function classifySetMulti(name: string, options: readonly Tree[]): Part {
  switch (name) {
    case 'TRANSACTION':
      return { ...setTransaction(options.map(changeOfOption)), isPlain: true };
    case 'SESSION CHARACTERISTICS':
      return classifyChanges(
        options.map((option) => {
          const change = changeOfOption(option);
          return { ...change, name: `default_${change.name}` };
        }),
      );
    case 'TRANSACTION SNAPSHOT':
      return { kind: 'write', because: 'imports-snapshot' };
    default:
      return { kind: 'write', because: 'statement-not-known', detail: name };
  }
}

function setTransaction(changes: readonly SettingChange[]): ReadPart {
  return { kind: 'read', because: 'set-transaction', transaction: optionsOf(changes) };
}

function classifyChanges(changes: readonly SettingChange[]): Part {
  for (const change of changes) {
    const because = bindingOf(change);
    if (because !== undefined) return { kind: 'session', because, detail: change.name };
  }
  const detail = changes.map((change) => change.name).join(', ');
  return { kind: 'set', because: 'sets-setting', detail, changes, clears: 'nothing' };
}

/** Why a session with this setting stays with the connection that has it; undefined: it can be set on others. */
export function bindingOf(
  change: SettingChange,
): 'setting-changes-grammar' | 'setting-needs-primary' | 'seeds-random' | undefined {
  if (changesGrammar(change)) return 'setting-changes-grammar';
  if (change.name === 'seed') return 'seeds-random';
  return needsPrimary(change) ? 'setting-needs-primary' : undefined;
}

function needsPrimary({ name, value }: SettingChange): boolean {
  return name === 'default_transaction_isolation' && isolationOf(value) === 'serializable';
}

/**
 * With standard_conforming_strings off a backslash escapes a quote; in client encodings other than UTF-8 a byte of a
 * character can look like one. Either could hide a call from us that the server would see.
 */
function changesGrammar(change: SettingChange): boolean {
  if (change.value === undefined) return false;
  const value = change.value.toLowerCase();
  if (change.name === 'standard_conforming_strings') return !isTrue(value);
  return change.name === 'client_encoding' && !UTF8_NAMES.has(value.replace(/[^a-z0-9]/g, ''));
}

/** What PostgreSQL makes of `UTF-8`, `utf8`, `Unicode` once it has dropped all but letters and digits. */
const UTF8_NAMES: ReadonlySet<string> = new Set(['utf8', 'unicode', 'sqlascii']);

function settingChange(name: string, kind: string | undefined, args: readonly Tree[]): SettingChange {
  if (kind !== 'VAR_SET_VALUE') return { name };
  const values = args.map((arg) => constantText(arg) ?? '');
  return { name, value: (name === 'search_path' ? values.map(quoteName) : values).join(', ') };
}

/** An option is a `DefElem` whose name is that of the setting it stands for. */
function changeOfOption(option: Tree): SettingChange {
  const element = treeAt(option, 'DefElem');
  return {
    name: textAt(element, 'defname') ?? '',
    value: constantText(treeAt(element, 'arg')) ?? '',
  };
}

function isTransactionSetting(name: string): boolean {
  return (
    name === 'transaction_read_only' || name === 'transaction_isolation' || name === 'transaction_deferrable'
  );
}

/** The server takes it for a value, and for the one that we take it for. */
function isCertain({ name, value }: SettingChange): boolean {
  if (name === 'transaction_isolation') return isolationOf(value) !== 'default';
  return value !== undefined && BOOLEANS.has(value.toLowerCase());
}

const BOOLEANS: ReadonlySet<string> = new Set(['on', 'off', 'true', 'false', 'yes', 'no', '1', '0']);

function optionsOf(changes: readonly SettingChange[]): TransactionOptions {
  let options = NO_OPTIONS;
  for (const { name, value } of changes) {
    if (name === 'transaction_isolation') options = { ...options, isolation: isolationOf(value) };
    if (name === 'transaction_deferrable') options = { ...options, deferrable: isTrue(value) };
    if (name === 'transaction_read_only') {
      options = { ...options, access: isTrue(value) ? 'read-only' : 'read-write' };
    }
  }
  return options;
}

const NO_OPTIONS: TransactionOptions = Object.freeze({
  access: 'default',
  isolation: 'default',
  deferrable: false,
});

function isolationOf(value: string | undefined): Isolation {
  return ISOLATIONS.get(value?.toLowerCase() ?? '') ?? 'default';
}

const ISOLATIONS: ReadonlyMap<string, Isolation> = new Map([
  ['read uncommitted', 'read-uncommitted'],
  ['read committed', 'read-committed'],
  ['repeatable read', 'repeatable-read'],
  ['serializable', 'serializable'],
]);

/** PostgreSQL's spellings of true, of which any beginning that is not ambiguous will do. */
function isTrue(value: string | undefined): boolean {
  const text = value?.trim().toLowerCase() ?? '';
  if (text === '') return false;
  return text === '1' || text === 'on' || 'true'.startsWith(text) || 'yes'.startsWith(text);
}
