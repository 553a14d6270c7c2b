/**
 * What a client's start-up packet asks for, parted into what a pool's connections start with (`shared`, whose `variant`
 * is a key of it) and what is set on a connection when it is lent to the client (`settings`). Of the second kind is what
 * has many values, since a connection for each would be shared by nobody: the application's name, search_path, and
 * settings with a dot in their names, as those by which tenants are told apart. Of all others a RESET goes back to the
 * client's value because its connections were started with it; `own` are such connections for all that it asks. Pure.
 */
import { isSearchPath } from '../sql/index.ts';
import type { Login } from './login.ts';
import { APPLICATION_NAME, type ServerParameters, serverParameters } from './server-parameters.ts';
import { OWN_PREFIX, type Settings, startSettings } from './settings.ts';

/** Who says that it comes, and with which parameters. */
type Asked = Pick<Login, 'user' | 'database' | 'parameters'>;

type Parameter = readonly [name: string, value: string];

/** With what a connection begins beside user and database, and a key of it. */
export interface Beginning {
  readonly variant: string;
  readonly parameters: readonly Parameter[];
}

export interface StartUp {
  readonly user: string;
  /** As the client calls it. */
  readonly database: string;
  /** One object where nothing is carried. */
  readonly shared: Beginning;
  readonly own: Beginning;
  readonly settings: Settings;
  /** What of the settings the connections of `own` begin with. */
  readonly carried: readonly Parameter[];
  /** Its transactions are serializable if they do not say what they are. */
  readonly isSerializable: boolean;
  /** As PostgreSQL shows it. */
  readonly applicationName: string;
}

/** Not settings: who, where, and what the router answers itself. */
const NOT_SETTINGS: ReadonlySet<string> = new Set(['user', 'database', 'replication', APPLICATION_NAME]);

export function startUpOf({ user, database, parameters }: Asked): StartUp {
  const { said, carried, others } = partedOf(parameters);
  const shared = beginningOf(others);
  const applicationName = parameters.get(APPLICATION_NAME) ?? '';
  return {
    user,
    database,
    shared,
    own: carried.length === 0 ? shared : beginningOf([...others, ...carried]),
    settings: startSettings(applicationName, said, carried),
    carried,
    isSerializable: others.some(isSerializable),
    applicationName: asShown(applicationName),
  };
}

function beginningOf(asked: readonly Parameter[]): Beginning {
  const parameters = asked.filter(([name]) => !NOT_SETTINGS.has(name));
  parameters.sort(([a], [b]) => (a < b ? -1 : 1));
  return { parameters, variant: parameters.map((pair) => pair.join('=')).join('\0') };
}

/** What a RESET goes back to, so the session's settings do not have it. */
function isSerializable([name, value]: readonly [string, string]): boolean {
  if (name === ISOLATION) return value.toLowerCase() === SERIALIZABLE;
  if (name !== 'options') return false;
  const said = value.replaceAll('-', '_').toLowerCase().split(`${ISOLATION}=`).at(-1) ?? '';
  return value.length !== said.length && said.startsWith(SERIALIZABLE);
}

const ISOLATION = 'default_transaction_isolation';
const SERIALIZABLE = 'serializable';

interface Parted {
  /** To the router: no reason for a connection of another kind. */
  readonly said: Parameter[];
  /** To be set on connections; a later one wins. */
  readonly carried: Parameter[];
  readonly others: Parameter[];
}

/** As PostgreSQL takes them: first what `options` say, then the parameters. */
function partedOf(parameters: Login['parameters']): Parted {
  const parted: Parted = { said: [], carried: [], others: [] };
  const options = parameters.get('options');
  if (options !== undefined) partOptions(options, parted);
  for (const [name, value] of parameters) {
    if (name !== 'options' && !isParted(name, value, parted)) parted.others.push([name, value]);
  }
  return parted;
}

/** `options` as PostgreSQL cuts it: words parted by blanks, a backslash before a blank makes it part of the word. */
function partOptions(options: string, parted: Parted): void {
  const words = options.match(/(?:\\.|[^\s\\])+/gs) ?? [];
  const rest: string[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    const isApart = word === '-c';
    const given = isApart ? (words[index + 1] ?? '') : word.replace(/^(-c|--)/, '');
    const setting = word.startsWith('-') ? SETTING.exec(given.replace(/\\(.)/gs, '$1')) : null;
    const [, name = '', value = ''] = setting ?? [];
    if (!isParted(name.replaceAll('-', '_'), value, parted))
      rest.push(...(isApart ? [word, words[index + 1] ?? ''] : [word]));
    if (isApart) index += 1;
  }
  const isWhole = rest.length === words.length;
  if (rest.length > 0) parted.others.push(['options', isWhole ? options : rest.join(' ').trim()]);
}

/** It is said to the router, or can be carried, and is noted so. */
function isParted(asked: string, value: string, { said, carried }: Parted): boolean {
  if (asked.startsWith(OWN_PREFIX)) {
    said.push([asked, value]);
    return true;
  }
  const name = asked.toLowerCase();
  if (name === SEARCH_PATH ? !isSearchPath(value) : !CUSTOM.test(name)) return false;
  const earlier = carried.findIndex(([other]) => other === name);
  if (earlier !== -1) carried.splice(earlier, 1);
  carried.push([name, value]);
  return true;
}

const SETTING = /^([^=]+)=(.*)$/s;
const SEARCH_PATH = 'search_path';
/** A setting of nobody's that PostgreSQL keeps for whoever asks. */
const CUSTOM = /^[a-z_][\w$]*(?:\.[a-z_][\w$]*)+$/;

/** What a client is told that begins on a connection with these parameters. */
export function welcomeOf({ values }: ServerParameters, startUp: StartUp): ServerParameters {
  const its = [[APPLICATION_NAME, startUp.applicationName] as const, ...startUp.carried];
  return serverParameters(new Map([...values, ...its.filter(([name]) => values.has(name))]));
}

/** PostgreSQL shows only printable ASCII of it, and at most 63 bytes. */
function asShown(name: string): string {
  const bytes = Buffer.from(name).subarray(0, 63);
  return Array.from(bytes, (byte) => (byte < 0x20 || byte > 0x7e ? '?' : String.fromCharCode(byte))).join('');
}
