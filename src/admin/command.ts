/**
 * Text to commands of the admin console: PgBouncer's, ours, and what drivers say of themselves when they connect or
 * hand a connection back, which is answered harmlessly. Keywords in any case; `;` between and behind commands.
 *
 * A new table? Its name in SHOWN, its columns and rows in show.ts, a line in help.ts.
 */
import { type Token, tokensOf } from './tokens.ts';

/** The tables that SHOW knows. The last seven are not PgBouncer's: six are ours, POOL_NODES is pgpool-II's. */
export const SHOWN = [
  'active_sockets',
  'clients',
  'config',
  'databases',
  'dns_hosts',
  'dns_zones',
  'lists',
  'mem',
  'peers',
  'peer_pools',
  'pools',
  'servers',
  'sockets',
  'state',
  'stats',
  'stats_averages',
  'stats_totals',
  'totals',
  'users',
  'version',
  'catalog',
  'nodes',
  'node_pools',
  'pins',
  'pool_nodes',
  'routes',
  'decisions',
] as const;

export type Shown = (typeof SHOWN)[number];

const ROUTE_SUBJECTS = ['user', 'database', 'application'] as const;
type RouteSubject = (typeof ROUTE_SUBJECTS)[number];

export type ShutdownMode = 'now' | 'wait-for-servers' | 'wait-for-clients';

/** Orders with an optional database; without one they are for all. */
export type DatabaseVerb = 'pause' | 'resume' | 'reconnect' | 'kill' | 'wait_close';

export type AdminCommand =
  | { readonly kind: 'show'; readonly shown: Shown }
  /** SHOW ROUTE: where a statement would go. Who would send it: a name that is left out is the asker's own. */
  | {
      readonly kind: 'route';
      readonly sql: string;
      readonly who: Readonly<Partial<Record<RouteSubject, string>>>;
    }
  | { readonly kind: 'help' }
  /** SHOW FDS: known, and refused. */
  | { readonly kind: 'fds' }
  | { readonly kind: 'database'; readonly verb: DatabaseVerb; readonly database: string | undefined }
  | { readonly kind: 'gate'; readonly verb: 'disable' | 'enable'; readonly database: string | undefined }
  | { readonly kind: 'kill-client'; readonly id: number }
  | { readonly kind: 'reload' }
  | { readonly kind: 'suspend' }
  | { readonly kind: 'shutdown'; readonly mode: ShutdownMode }
  | { readonly kind: 'set'; readonly key: string; readonly value: string | undefined }
  /** SHOW of a parameter of the session itself, or of what nobody knows. */
  | { readonly kind: 'show-parameter'; readonly name: string }
  /** SELECT of one constant: how pools ask whether a connection lives. */
  | { readonly kind: 'constant'; readonly value: number }
  /** What changes nothing here; `status` is that of the transaction afterwards. */
  | { readonly kind: 'harmless'; readonly tag: string; readonly status?: 'I' | 'T' }
  /** Prepared statements are forgotten: one, or all. */
  | { readonly kind: 'deallocate'; readonly name: string | undefined; readonly tag: string };

export type Parsed =
  | { readonly outcome: 'commands'; readonly commands: readonly AdminCommand[] }
  /** `text` is what was not understood. */
  | { readonly outcome: 'invalid'; readonly text: string };

/** The commands of a text, in order; none at all where it holds only blanks, comments and `;`. */
export function parseCommands(text: string): Parsed {
  const invalid = { outcome: 'invalid', text: text.trim() } as const;
  const tokens = tokensOf(text);
  if (tokens === undefined) return invalid;
  const commands: AdminCommand[] = [];
  for (const statement of statementsOf(tokens)) {
    const command = commandOf(statement);
    if (command === undefined) return invalid;
    commands.push(command);
  }
  return { outcome: 'commands', commands };
}

function statementsOf(tokens: readonly Token[]): readonly (readonly Token[])[] {
  const statements: Token[][] = [];
  let current: Token[] = [];
  for (const token of tokens) {
    if (token.kind === 'sign' && token.text === ';') {
      statements.push(current);
      current = [];
    } else current.push(token);
  }
  return [...statements, current].filter(({ length }) => length > 0);
}

function commandOf([head, ...rest]: readonly Token[]): AdminCommand | undefined {
  const verb = keyword(head) ?? '';
  switch (verb) {
    case 'show':
      return showOf(rest);
    case 'select':
      return selectOf(rest);
    case 'set':
      return setOf(rest);
    case 'pause':
    case 'resume':
    case 'reconnect':
    case 'kill':
    case 'wait_close':
      return rest.length > 1 || !rest.every(isName)
        ? undefined
        : { kind: 'database', verb, database: rest[0]?.text };
    case 'disable':
    case 'enable':
      return rest.length > 1 || !rest.every(isName)
        ? undefined
        : { kind: 'gate', verb, database: rest[0]?.text };
    case 'kill_client':
      return killClientOf(rest);
    case 'reload':
    case 'suspend':
      return rest.length > 0 ? undefined : { kind: verb };
    case 'shutdown':
      return shutdownOf(rest);
  }
  return harmlessOf(verb, rest);
}

function showOf(rest: readonly Token[]): AdminCommand | undefined {
  if (keyword(rest[0]) === 'route' && rest.length > 1) return routeOf(rest.slice(1));
  const words = rest.map(({ text }) => text.toLowerCase());
  if (words.length === 0 || !rest.every(isName)) return undefined;
  const name = TWO_WORDS[words.join(' ')] ?? words[0] ?? '';
  if (words.length > 1 && TWO_WORDS[words.join(' ')] === undefined) return undefined;
  if (name === 'help') return { kind: 'help' };
  if (name === 'fds') return { kind: 'fds' };
  const shown = SHOWN.find((each) => each === name);
  return shown === undefined ? { kind: 'show-parameter', name } : { kind: 'show', shown };
}

/** 'statement' [USER name] [DATABASE name] [APPLICATION name] */
function routeOf([statement, ...rest]: readonly Token[]): AdminCommand | undefined {
  if (statement?.kind !== 'text') return undefined;
  const who: Partial<Record<RouteSubject, string>> = {};
  for (let at = 0; at < rest.length; at += 2) {
    const subject = ROUTE_SUBJECTS.find((each) => each === keyword(rest[at]));
    const name = rest[at + 1];
    if (subject === undefined || name === undefined || name.kind === 'sign') return undefined;
    if (who[subject] !== undefined) return undefined;
    who[subject] = name.text;
  }
  return { kind: 'route', sql: statement.text, who };
}

/** Parameters that SQL names in several words. */
const TWO_WORDS: Readonly<Record<string, string>> = {
  'transaction isolation level': 'transaction_isolation',
  'session authorization': 'session_authorization',
  'time zone': 'timezone',
};

/** As in PgBouncer, SELECT of a word is SHOW of it; of a number it is the number. */
function selectOf(rest: readonly Token[]): AdminCommand | undefined {
  const [only] = rest;
  if (rest.length === 1 && only?.kind === 'word' && /^\d{1,9}$/.test(only.text)) {
    return { kind: 'constant', value: Number(only.text) };
  }
  const signs = rest.slice(1);
  const isCall = signs.length === 2 && signs.map(({ text }) => text).join('') === '()';
  return showOf(isCall ? rest.slice(0, 1) : rest);
}

function setOf(tokens: readonly Token[]): AdminCommand | undefined {
  const scope = keyword(tokens[0]);
  const isScoped = scope === 'session' || scope === 'local';
  const rest = isScoped ? tokens.slice(1) : tokens;
  const first = keyword(rest[0]);
  if (first === 'transaction' || first === 'characteristics') return { kind: 'harmless', tag: 'SET' };
  if (first === 'time' && keyword(rest[1]) === 'zone') return setTo('timezone', rest.slice(2));
  if (first === 'names') return setTo('client_encoding', rest.slice(1));
  const [key, relation, ...values] = rest;
  if (key === undefined || !isName(key)) return undefined;
  const isRelated = (relation?.kind === 'sign' && relation.text === '=') || keyword(relation) === 'to';
  return isRelated ? setTo(key.text.toLowerCase(), values) : undefined;
}

/** One value, or several with commas; DEFAULT is undefined. */
function setTo(key: string, values: readonly Token[]): AdminCommand | undefined {
  if (values.length === 0) return undefined;
  if (values.length === 1 && keyword(values[0]) === 'default') return { kind: 'set', key, value: undefined };
  if (values.some(({ kind, text }) => kind === 'sign' && !VALUE_SIGNS.has(text))) return undefined;
  const value = values.map(({ text }) => (text === ',' ? ', ' : text)).join('');
  return { kind: 'set', key, value };
}

/** Of numbers, durations, addresses and lists. */
const VALUE_SIGNS: ReadonlySet<string> = new Set(['-', '+', ',', '/', ':', '*', '@', '%']);

function killClientOf(rest: readonly Token[]): AdminCommand | undefined {
  const [id] = rest;
  if (rest.length !== 1 || id === undefined || !/^\d{1,15}$/.test(id.text)) return undefined;
  return { kind: 'kill-client', id: Number(id.text) };
}

function shutdownOf(rest: readonly Token[]): AdminCommand | undefined {
  if (rest.length === 0) return { kind: 'shutdown', mode: 'now' };
  const mode = SHUTDOWN_MODES[keyword(rest[0]) ?? ''];
  return mode === undefined || rest.length > 1 ? undefined : { kind: 'shutdown', mode };
}

const SHUTDOWN_MODES: Readonly<Record<string, ShutdownMode>> = {
  wait_for_servers: 'wait-for-servers',
  wait_for_clients: 'wait-for-clients',
};

function harmlessOf(verb: string, rest: readonly Token[]): AdminCommand | undefined {
  switch (verb) {
    case 'begin':
      return { kind: 'harmless', tag: 'BEGIN', status: 'T' };
    case 'start':
      return keyword(rest[0]) === 'transaction'
        ? { kind: 'harmless', tag: 'START TRANSACTION', status: 'T' }
        : undefined;
    case 'commit':
    case 'end':
      return { kind: 'harmless', tag: 'COMMIT', status: 'I' };
    case 'abort':
      return { kind: 'harmless', tag: 'ROLLBACK', status: 'I' };
    case 'rollback':
      return rest.some((token) => keyword(token) === 'to')
        ? { kind: 'harmless', tag: 'ROLLBACK' }
        : { kind: 'harmless', tag: 'ROLLBACK', status: 'I' };
    case 'savepoint':
    case 'release':
    case 'reset':
    case 'unlisten':
      return { kind: 'harmless', tag: verb.toUpperCase() };
    case 'close':
      return { kind: 'harmless', tag: 'CLOSE CURSOR' };
    case 'discard':
      return keyword(rest[0]) === 'all'
        ? { kind: 'deallocate', name: undefined, tag: 'DISCARD ALL' }
        : { kind: 'harmless', tag: `DISCARD ${rest[0]?.text.toUpperCase() ?? ''}`.trim() };
    case 'deallocate':
      return deallocateOf(rest);
  }
  return undefined;
}

function deallocateOf(rest: readonly Token[]): AdminCommand | undefined {
  const names = keyword(rest[0]) === 'prepare' ? rest.slice(1) : rest;
  const [name] = names;
  if (names.length !== 1 || name === undefined || !isName(name)) return undefined;
  if (keyword(name) === 'all') return { kind: 'deallocate', name: undefined, tag: 'DEALLOCATE ALL' };
  return { kind: 'deallocate', name: name.text, tag: 'DEALLOCATE' };
}

function keyword(token: Token | undefined): string | undefined {
  return token?.kind === 'word' ? token.text.toLowerCase() : undefined;
}

function isName(token: Token): boolean {
  return token.kind === 'word' || token.kind === 'name';
}
