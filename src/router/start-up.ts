/**
 * What a client's start-up packet asks for, parted into what a pool's connections start with (`parameters`, and their
 * `variant` as a key) and what is set on a connection when it is lent to the client (`settings`). Only the application's
 * name is of the second kind: names are many, and a pool for each would share nothing. Of all others a RESET goes
 * back to the client's value, as it must, because its connections were started with it. Pure.
 */
import type { Login } from './login.ts';
import { cutName } from './name.ts';
import { APPLICATION_NAME, type ServerParameters, serverParameters } from './server-parameters.ts';
import { OWN_PREFIX, type Settings, startSettings } from './settings.ts';

/** Who says that it comes, and with which parameters. */
type Asked = Pick<Login, 'user' | 'database' | 'parameters'>;

type Parameter = readonly [name: string, value: string];

export interface StartUp {
  readonly user: string;
  /** As the client calls it. */
  readonly database: string;
  readonly variant: string;
  /** Beside user and database. */
  readonly parameters: readonly Parameter[];
  readonly settings: Settings;
  /** Its transactions are serializable if they do not say what they are. */
  readonly isSerializable: boolean;
  /** What a reset of it goes back to; undefined: the role's. */
  readonly searchPath: string | undefined;
  /** The same for the role. */
  readonly role: string | undefined;
  /** As PostgreSQL shows it. */
  readonly applicationName: string;
}

/** Not settings: who, where, and what the router answers itself. */
const NOT_SETTINGS: ReadonlySet<string> = new Set(['user', 'database', 'replication', APPLICATION_NAME]);

export function startUpOf({ user, database, parameters }: Asked): StartUp {
  const { said, others } = partedOf(parameters);
  const own = others.filter(([name]) => !NOT_SETTINGS.has(name));
  own.sort(([a], [b]) => (a < b ? -1 : 1));
  const applicationName = parameters.get(APPLICATION_NAME) ?? '';
  const given = givenBy(own);
  return {
    user,
    database,
    variant: own.map((pair) => pair.join('=')).join('\0'),
    parameters: own,
    settings: startSettings(applicationName, said),
    isSerializable: given.get('default_transaction_isolation')?.toLowerCase() === 'serializable',
    searchPath: given.get('search_path'),
    role: given.get('role'),
    applicationName: asShown(applicationName),
  };
}

/** What is said to the router, as a parameter or in `options`, is no reason for a pool of its own. */
function partedOf(parameters: Login['parameters']): {
  readonly said: readonly Parameter[];
  readonly others: readonly Parameter[];
} {
  const said: Parameter[] = [];
  const others: Parameter[] = [];
  for (const [name, value] of parameters) {
    if (name.startsWith(OWN_PREFIX)) said.push([name, value]);
    else if (name !== 'options') others.push([name, value]);
    else {
      const words = optionsIn(value);
      const rest = words.filter((option) => !option.name.startsWith(OWN_PREFIX));
      for (const option of words) if (!rest.includes(option)) said.push([option.name, option.value]);
      const kept = rest.map(({ text }) => text).join(' ');
      if (kept !== '') others.push([name, rest.length === words.length ? value : kept]);
    }
  }
  return { said, others };
}

/** Settings by name, as PostgreSQL takes them: first what `options` say, then the parameters; a later one counts. */
function givenBy(parameters: readonly Parameter[]): ReadonlyMap<string, string> {
  const options = parameters.flatMap(([name, value]) => (name === 'options' ? optionsIn(value) : []));
  const given = options.map(({ name, value }) => [name.toLowerCase(), value] as const);
  return new Map([...given, ...parameters.map(([name, value]) => [name.toLowerCase(), value] as const)]);
}

interface Option {
  /** As it was written. */
  readonly text: string;
  /** Of the setting that it makes, if it does; else empty. */
  readonly name: string;
  readonly value: string;
}

/** `options` as PostgreSQL cuts it: words parted by blanks, a backslash before a blank makes it part of the word. */
function optionsIn(options: string): readonly Option[] {
  const words = options.match(/(?:\\.|[^\s\\])+/gs) ?? [];
  const found: Option[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    const isParted = word === '-c';
    if (isParted) index += 1;
    const said = isParted ? (words[index] ?? '') : word.replace(/^(-c|--)/, '');
    const setting = word.startsWith('-') ? SETTING.exec(said.replace(/\\(.)/gs, '$1')) : null;
    const [, name = '', value = ''] = setting ?? [];
    found.push({ text: isParted ? `${word} ${said}` : word, name: name.replaceAll('-', '_'), value });
  }
  return found;
}

const SETTING = /^([^=]+)=(.*)$/s;

/** What a client is told that begins on a connection with these parameters. */
export function welcomeOf({ values }: ServerParameters, { applicationName }: StartUp): ServerParameters {
  if (!values.has(APPLICATION_NAME)) return serverParameters(values);
  return serverParameters(new Map([...values, [APPLICATION_NAME, applicationName]]));
}

/** PostgreSQL shows only printable ASCII of it, and at most 63 bytes. */
function asShown(name: string): string {
  const bytes = Buffer.from(cutName(name));
  return Array.from(bytes, (byte) => (byte < 0x20 || byte > 0x7e ? '?' : String.fromCharCode(byte))).join('');
}
