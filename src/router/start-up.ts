/**
 * What a client's start-up packet asks for, parted into what a pool's connections start with (`parameters`, and their
 * `variant` as a key) and what is set on a connection when it is lent to the client (`settings`). Only the application's
 * name is of the second kind: names are many, and a pool for each would share nothing. Of all others a RESET goes
 * back to the client's value, as it must, because its connections were started with it. Pure.
 */
import type { Login } from './login.ts';
import { APPLICATION_NAME, type ServerParameters, serverParameters } from './server-parameters.ts';
import { OWN_PREFIX, type Settings, startSettings } from './settings.ts';

/** Who says that it comes, and with which parameters. */
type Asked = Pick<Login, 'user' | 'database' | 'parameters'>;

export interface StartUp {
  readonly user: string;
  /** As the client calls it. */
  readonly database: string;
  readonly variant: string;
  /** Beside user and database. */
  readonly parameters: readonly (readonly [string, string])[];
  readonly settings: Settings;
  /** Its transactions are serializable if they do not say what they are. */
  readonly isSerializable: boolean;
  /** As PostgreSQL shows it. */
  readonly applicationName: string;
}

/** Not settings: who, where, and what the router answers itself. */
const NOT_SETTINGS: ReadonlySet<string> = new Set(['user', 'database', 'replication', APPLICATION_NAME]);

export function startUpOf({ user, database, parameters }: Asked): StartUp {
  const { own: said, others } = partedOf(parameters);
  const own = others.filter(([name]) => !NOT_SETTINGS.has(name));
  own.sort(([a], [b]) => (a < b ? -1 : 1));
  const applicationName = parameters.get(APPLICATION_NAME) ?? '';
  return {
    user,
    database,
    variant: own.map((pair) => pair.join('=')).join('\0'),
    parameters: own,
    settings: startSettings(applicationName, said),
    isSerializable: own.some(isSerializable),
    applicationName: asShown(applicationName),
  };
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

/** What is said to the router, as a parameter or in `options`, is no reason for a pool of its own. */
function partedOf(parameters: Login['parameters']): {
  readonly own: readonly (readonly [string, string])[];
  readonly others: readonly (readonly [string, string])[];
} {
  const own: (readonly [string, string])[] = [];
  const others: (readonly [string, string])[] = [];
  for (const [name, value] of parameters) {
    if (name.startsWith(OWN_PREFIX)) own.push([name, value]);
    else if (name !== 'options') others.push([name, value]);
    else {
      const rest = withoutOwn(value, own);
      if (rest !== '') others.push([name, rest]);
    }
  }
  return { own, others };
}

/** `options` as PostgreSQL cuts it: words parted by blanks, a backslash before a blank makes it part of the word. */
function withoutOwn(options: string, own: (readonly [string, string])[]): string {
  const words = options.match(/(?:\\.|[^\s\\])+/gs) ?? [];
  const rest: string[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    const isParted = word === '-c';
    const said = isParted ? (words[index + 1] ?? '') : word.replace(/^(-c|--)/, '');
    const setting = word.startsWith('-') ? SETTING.exec(said.replace(/\\(.)/gs, '$1')) : null;
    const [, name = '', value = ''] = setting ?? [];
    if (name.startsWith(OWN_PREFIX)) own.push([name.replaceAll('-', '_'), value]);
    else rest.push(...(isParted ? [word, words[index + 1] ?? ''] : [word]));
    if (isParted) index += 1;
  }
  return own.length === 0 ? options : rest.join(' ').trim();
}

const SETTING = /^([^=]+)=(.*)$/s;

/** What a client is told that begins on a connection with these parameters. */
export function welcomeOf({ values }: ServerParameters, { applicationName }: StartUp): ServerParameters {
  if (!values.has(APPLICATION_NAME)) return serverParameters(values);
  return serverParameters(new Map([...values, [APPLICATION_NAME, applicationName]]));
}

/** PostgreSQL shows only printable ASCII of it, and at most 63 bytes. */
function asShown(name: string): string {
  const bytes = Buffer.from(name).subarray(0, 63);
  return Array.from(bytes, (byte) => (byte < 0x20 || byte > 0x7e ? '?' : String.fromCharCode(byte))).join('');
}
