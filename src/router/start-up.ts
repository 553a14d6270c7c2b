/**
 * What a client's start-up packet asks for, parted into what a pool's connections start with (`parameters`, and their
 * `variant` as a key) and what is set on a connection when it is lent to the client (`settings`). Only the application's
 * name is of the second kind: names are many, and a pool for each would share nothing. Of all others a RESET goes
 * back to the client's value, as it must, because its connections were started with it. Pure.
 */
import type { Login } from './login.ts';
import { type ServerParameters, serverParameters } from './server-parameters.ts';
import { type Settings, startSettings } from './settings.ts';

export interface StartUp {
  readonly user: string;
  /** As the client calls it. */
  readonly database: string;
  readonly variant: string;
  /** Beside user and database. */
  readonly parameters: readonly (readonly [string, string])[];
  readonly settings: Settings;
  readonly applicationName: string;
}

const APPLICATION_NAME = 'application_name';
/** Not settings: who, where, and what the router answers itself. */
const NOT_SETTINGS: ReadonlySet<string> = new Set(['user', 'database', 'replication', APPLICATION_NAME]);

export function startUpOf({ user, database, parameters }: Login): StartUp {
  const own = [...parameters].filter(([name]) => !NOT_SETTINGS.has(name));
  own.sort(([a], [b]) => (a < b ? -1 : 1));
  const applicationName = parameters.get(APPLICATION_NAME) ?? '';
  return {
    user,
    database,
    variant: own.map((pair) => pair.join('=')).join('\0'),
    parameters: own,
    settings: startSettings(applicationName),
    applicationName,
  };
}

/** What a client is told that begins on a connection with these parameters. */
export function welcomeOf({ values }: ServerParameters, { applicationName }: StartUp): ServerParameters {
  if (!values.has(APPLICATION_NAME)) return serverParameters(values);
  return serverParameters(new Map([...values, [APPLICATION_NAME, asShown(applicationName)]]));
}

/** PostgreSQL shows only printable ASCII of it, and at most 63 bytes. */
function asShown(name: string): string {
  const bytes = Buffer.from(name).subarray(0, 63);
  return Array.from(bytes, (byte) => (byte < 0x20 || byte > 0x7e ? '?' : String.fromCharCode(byte))).join('');
}
