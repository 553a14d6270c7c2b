/**
 * Who may come in, as the configuration and the files that it names say now: host rules, users, maps, certificates of both
 * sides. Made whole from one reading of all files, and exchanged whole: at a reload, and when one of the files changes. A
 * reading with anything wrong in it changes nothing. Connections that are there are not touched.
 */
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import {
  type HbaRule,
  type IdentRule,
  parseHba,
  parseIdent,
  parseUserFile,
  type RuleProblem,
  type UserFile,
} from '../auth/index.ts';
import { describe, failure, type Log, MatriarchError } from '../base/index.ts';
import type { RouterConfig } from '../config/index.ts';
import { ClientTls } from './client-tls.ts';
import { stampOfNamed } from './file-stamp.ts';
import type { ServerTls } from './server-tls.ts';

/** One reading. */
export interface AccessTable {
  readonly rules: readonly HbaRule[];
  readonly idents: readonly IdentRule[];
  /** Undefined: users are looked up. */
  readonly users: UserFile | undefined;
  readonly clientTls: ClientTls | undefined;
  readonly serverTls: ServerTls;
  /** With what the role `auth_user` looks others up; undefined: as the cluster says. */
  readonly lookupLogin: { readonly username: string; readonly password: string } | undefined;
}

const LOOK_EVERY_MS = 1000;

export class Access {
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  #config: RouterConfig;
  #table: AccessTable;
  #stamp: string;

  /** Reads all files; throws `router-access-invalid`. */
  constructor(config: RouterConfig, log: Log) {
    this.#log = log;
    this.#config = config;
    this.#stamp = stampOfNamed(config);
    this.#table = readAccess(config);
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  get now(): AccessTable {
    return this.#table;
  }

  /** Reads what another configuration names, without taking it over; throws `router-access-invalid`. */
  prepare(config: RouterConfig): () => void {
    const stamp = stampOfNamed(config);
    const table = readAccess(config);
    return () => {
      this.#config = config;
      this.#table = table;
      this.#stamp = stamp;
    };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Read again only when something has changed, and once: a refused reading is not logged for ever. */
  #look(): void {
    const stamp = stampOfNamed(this.#config);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    try {
      this.#table = readAccess(this.#config);
      this.#log.info('access-reloaded', {});
    } catch (cause) {
      if (!(cause instanceof MatriarchError)) throw cause;
      this.#log.error('access-reload-refused', failure(cause));
    }
  }
}

/** All files that the configuration names. */
export function readAccess(config: RouterConfig): AccessTable {
  const { auth_file, auth_hba_file, auth_ident_file } = config;
  const users = auth_file === undefined ? undefined : parseUserFile(read(auth_file));
  const idents =
    auth_ident_file === undefined ? { rules: [], problems: [] } : parseIdent(read(auth_ident_file));
  const inline = parseHba(config.hba.join('\n'));
  const hba = parseHba(auth_hba_file === undefined ? '' : read(auth_hba_file));
  const isByRules = config.hba.length > 0 || auth_hba_file !== undefined;
  refuseProblems(auth_file, users?.problems);
  refuseProblems(auth_ident_file, idents.problems);
  refuseProblems('router.hba', inline.problems);
  refuseProblems(auth_hba_file, hba.problems);
  return {
    rules: isByRules ? [...inline.rules, ...hba.rules] : parseHba(rulesOfType(config)).rules,
    idents: idents.rules,
    users: users?.file,
    clientTls: readClientTls(config),
    serverTls: readServerTls(config),
    lookupLogin: readLookupLogin(config, users?.file),
  };
}

/** The rules that `auth_type` alone means. */
function rulesOfType({ auth_type }: RouterConfig): string {
  if (auth_type === 'cert') return 'hostssl all all all cert\nhostssl replication all all cert';
  const method = auth_type === 'plain' ? 'password' : auth_type;
  const forBoth = (name: string): string => `local ${name} all ${method}\nhost ${name} all all ${method}`;
  return ['all', 'replication'].map(forBoth).join('\n');
}

function readClientTls(config: RouterConfig): ClientTls | undefined {
  const { client_tls_sslmode: mode, client_tls_cert_file, client_tls_key_file, client_tls_ca_file } = config;
  if (mode === 'disable' || client_tls_cert_file === undefined || client_tls_key_file === undefined)
    return undefined;
  const options = {
    mode,
    cert: readBytes(client_tls_cert_file),
    key: readBytes(client_tls_key_file),
    ca: client_tls_ca_file === undefined ? undefined : readBytes(client_tls_ca_file),
    protocols: config.client_tls_protocols,
    ciphers: config.client_tls_ciphers,
  };
  return orInvalid(`${client_tls_cert_file} with ${client_tls_key_file}`, () => new ClientTls(options));
}

function readServerTls(config: RouterConfig): ServerTls {
  const { server_tls_sslmode: mode, server_tls_ca_file, server_tls_cert_file, server_tls_key_file } = config;
  if (mode === 'disable') return { mode, context: undefined };
  const options = {
    ...(server_tls_ca_file !== undefined && { ca: readBytes(server_tls_ca_file) }),
    ...(server_tls_cert_file !== undefined && { cert: readBytes(server_tls_cert_file) }),
    ...(server_tls_key_file !== undefined && { key: readBytes(server_tls_key_file) }),
  };
  const files = [server_tls_ca_file, server_tls_cert_file, server_tls_key_file].filter(
    (file) => file !== undefined,
  );
  return { mode, context: orInvalid(files.join(', '), () => createSecureContext(options)) };
}

function readLookupLogin(config: RouterConfig, users: UserFile | undefined): AccessTable['lookupLogin'] {
  const { auth_user: username, auth_password, auth_password_file } = config;
  if (username === undefined) return undefined;
  const stored = users?.users.get(username);
  const inFile =
    auth_password_file === undefined ? undefined : read(auth_password_file).replace(/\r?\n$/, '');
  const password = auth_password ?? inFile ?? (stored?.kind === 'plain' ? stored.password : undefined);
  if (password === undefined)
    throw new MatriarchError(
      'router-access-invalid',
      `the password of auth_user ${username} is nowhere given`,
    );
  return { username, password };
}

function refuseProblems(file: string | undefined, problems: readonly RuleProblem[] = []): void {
  if (problems.length === 0) return;
  const told = problems.map(({ line, message }) => `${file}:${line}: ${message}`);
  throw new MatriarchError('router-access-invalid', told.join('\n'));
}

function readBytes(file: string): Buffer {
  return orInvalid(file, () => readFileSync(file));
}

function read(file: string): string {
  return readBytes(file).toString('utf8');
}

function orInvalid<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new MatriarchError('router-access-invalid', `${what}: ${describe(cause)}`, { cause });
  }
}
