/**
 * Variables `PATRONI_*` as a layer over the file, with Patroni's own names and forms (its documentation, "Environment
 * Configuration Settings", of versions 2 to 4). An empty variable is as if it were not there.
 */
import { parse } from 'yaml';
import { isRecord, unreachable } from '../base/index.ts';
import type { Path } from '../config/index.ts';
import type { Note } from './note.ts';
import { ROLE_CONNECTION_KEYS } from './patroni-postgresql-keys.ts';
import type { Layer } from './patroni-source.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = 'PATRONI_';
/** The whole configuration for Patroni, where no file is named; a file is named here. */
const WHOLE = `${PREFIX}CONFIGURATION`;

type Form = 'text' | 'number' | 'flag' | 'list' | 'map';

/** `SECTION_KEY` -> `section.key`. */
const SECTIONS: Readonly<Record<string, Readonly<Record<string, Form>>>> = {
  restapi: {
    listen: 'text',
    connect_address: 'text',
    certfile: 'text',
    keyfile: 'text',
    keyfile_password: 'text',
    cafile: 'text',
    ciphers: 'text',
    verify_client: 'text',
    http_extra_headers: 'map',
    https_extra_headers: 'map',
    allowlist: 'list',
    allowlist_include_members: 'flag',
    request_queue_size: 'number',
    server_tokens: 'text',
  },
  ctl: { insecure: 'flag', cacert: 'text', certfile: 'text', keyfile: 'text', keyfile_password: 'text' },
  postgresql: {
    listen: 'text',
    connect_address: 'text',
    proxy_address: 'text',
    config_dir: 'text',
    data_dir: 'text',
    pgpass: 'text',
    bin_dir: 'text',
  },
  log: {
    type: 'text',
    level: 'text',
    traceback_level: 'text',
    format: 'text',
    dateformat: 'text',
    static_fields: 'map',
    max_queue_size: 'number',
    dir: 'text',
    mode: 'text',
    file_size: 'number',
    file_num: 'number',
    loggers: 'map',
    deduplicate_heartbeat_logs: 'flag',
  },
  raft: { data_dir: 'text', self_addr: 'text', partner_addrs: 'list', password: 'text', bind_addr: 'text' },
  citus: { group: 'number', database: 'text' },
};

const OF_ETCD: Readonly<Record<string, Form>> = {
  host: 'text',
  hosts: 'list',
  port: 'number',
  url: 'text',
  proxy: 'text',
  use_proxies: 'flag',
  protocol: 'text',
  srv: 'text',
  srv_suffix: 'text',
  cacert: 'text',
  cert: 'text',
  key: 'text',
  username: 'text',
  password: 'text',
};
/** Of any other store; nobody runs with one of these. */
const OF_OTHERS: Readonly<Record<string, Form>> = {
  ...OF_ETCD,
  key_password: 'text',
  verify: 'flag',
  token: 'text',
  checks: 'list',
  dc: 'text',
  consistency: 'text',
  scheme: 'text',
  register_service: 'flag',
  service_check_interval: 'text',
  service_check_tls_server_name: 'text',
  service_tags: 'list',
  use_ssl: 'text',
  set_acls: 'map',
  auth_data: 'map',
  namespace: 'text',
  context: 'text',
  use_endpoints: 'flag',
  scope_label: 'text',
  role_label: 'text',
  pod_ip: 'text',
  ports: 'list',
  labels: 'map',
  bypass_api_service: 'flag',
  retriable_http_codes: 'list',
  bootstrap_labels: 'map',
  leader_label_value: 'text',
  follower_label_value: 'text',
  standby_leader_label_value: 'text',
  tmp_role_label: 'text',
  xlog_cache_enabled: 'flag',
};

const PROGRAMS = [
  'pg_ctl',
  'initdb',
  'pg_controldata',
  'pg_basebackup',
  'postgres',
  'pg_isready',
  'pg_rewind',
];
const ROLES = ['superuser', 'replication', 'rewind'];
const OF_ROLES = ['username', 'password', ...ROLE_CONNECTION_KEYS];
/** Names that Patroni had before. */
const OLD_NAMES: Readonly<Record<string, string>> = {
  LOGLEVEL: 'log.level',
  LOGFORMAT: 'log.format',
  LOG_DATEFMT: 'log.dateformat',
};

interface Target {
  readonly path: readonly string[];
  readonly form: Form;
}

const TARGETS: ReadonlyMap<string, Target> = new Map(
  [
    ...['name', 'namespace', 'scope'].map((key) => [key, key, 'text'] as const),
    ...Object.entries(SECTIONS).flatMap(([section, keys]) =>
      Object.entries(keys).map(([key, form]) => [`${section}_${key}`, `${section}.${key}`, form] as const),
    ),
    ...['etcd', 'etcd3', 'consul', 'zookeeper', 'exhibitor', 'kubernetes'].flatMap((store) =>
      Object.entries(store.startsWith('etcd') ? OF_ETCD : OF_OTHERS).map(
        ([key, form]) => [`${store}_${key}`, `${store}.${key}`, form] as const,
      ),
    ),
    ...PROGRAMS.map(
      (program) => [`postgresql_bin_${program}`, `postgresql.bin_name.${program}`, 'text'] as const,
    ),
    ...['restapi', 'ctl'].flatMap((section) =>
      ['username', 'password'].map(
        (key) => [`${section}_${key}`, `${section}.authentication.${key}`, 'text'] as const,
      ),
    ),
    ...ROLES.flatMap((role) =>
      OF_ROLES.map((key) => [`${role}_${key}`, `postgresql.authentication.${role}.${key}`, 'text'] as const),
    ),
    ...Object.entries(OLD_NAMES).map(([old, path]) => [old, path, 'text'] as const),
  ].map(([name, path, form]) => [name.toUpperCase(), { path: path.split('.'), form }]),
);

/** Every variable that has a place of its own, for the documentation. */
export const PATRONI_VARIABLES: readonly string[] = [...TARGETS.keys()].map((name) => PREFIX + name);

export interface EnvironmentLayer {
  readonly layer: Layer;
  /** Variables that are not known, or not of their form. */
  readonly notes: readonly Note[];
}

export function environmentLayer(env: Environment): EnvironmentLayer {
  const notes: Note[] = [];
  const from = new Map<string, string>();
  const value: Record<string, unknown> = {};
  const put = (path: readonly string[], read: unknown, variable: string): void => {
    from.set(path.join('.'), variable);
    setAt(value, path, read);
  };
  const given = Object.entries(env).filter(
    (each): each is [string, string] =>
      each[0].startsWith(PREFIX) && each[0] !== WHOLE && (each[1] ?? '') !== '',
  );
  for (const [variable, text] of given) {
    const name = variable.slice(PREFIX.length);
    const target = TARGETS.get(name);
    const user = /^(.+)_(PASSWORD|OPTIONS)$/.exec(name);
    if (target !== undefined) {
      const read = readForm(text, target.form);
      if (read === undefined) notes.push(noteOf(variable, `is no ${FORMS[target.form]}; left out`));
      else if (from.has(target.path.join('.')) && name in OLD_NAMES) continue;
      else put(target.path, read, variable);
    } else if (user?.[1] !== undefined && given.some(([other]) => other === `${PREFIX}${user[1]}_PASSWORD`)) {
      const isPassword = user[2] === 'PASSWORD';
      const read = isPassword ? text : readForm(text, 'list');
      put(['bootstrap', 'users', user[1], isPassword ? 'password' : 'options'], read, variable);
    } else notes.push(noteOf(variable, 'unknown variable'));
  }
  const placeOf = (path: Path): { readonly file: string; readonly line: number } => {
    const key = path.join('.');
    const found = [...from].find(
      ([each]) => each === key || each.startsWith(`${key}.`) || key.startsWith(each),
    );
    return { file: found?.[1] ?? 'the environment', line: 0 };
  };
  return { layer: { value, placeOf }, notes };
}

const FORMS: Readonly<Record<Form, string>> = {
  text: 'text',
  number: 'whole number',
  flag: 'true or false',
  list: 'list',
  map: 'mapping',
};

function readForm(text: string, form: Form): unknown {
  switch (form) {
    case 'text':
      return text;
    case 'number':
      return /^-?\d+$/.test(text.trim()) ? Number(text) : undefined;
    case 'flag':
      if (/^(true|on|yes|1)$/i.test(text.trim())) return true;
      return /^(false|off|no|0)$/i.test(text.trim()) ? false : undefined;
    case 'list': {
      const read = parsed(/^\s*-|\[/.test(text) ? text : `[${text}]`);
      return Array.isArray(read) ? read : undefined;
    }
    case 'map': {
      const read = parsed(/^\s*\{/.test(text) ? text : `{${text}}`);
      return isRecord(read) ? read : undefined;
    }
  }
  return unreachable(form);
}

function parsed(text: string): unknown {
  try {
    return parse(text, { version: '1.1', prettyErrors: false });
  } catch {
    // Said by the caller, with the variable's name.
    return undefined;
  }
}

function setAt(tree: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [first, ...rest] = path;
  if (first === undefined) return;
  if (rest.length === 0) {
    tree[first] = value;
    return;
  }
  const below = tree[first];
  const next: Record<string, unknown> = isRecord(below) ? { ...below } : {};
  tree[first] = next;
  setAt(next, rest, value);
}

const noteOf = (variable: string, says: string): Note => ({
  file: 'environment',
  line: 0,
  key: variable,
  value: '',
  says,
});
