/** What becomes of those keys of a Patroni configuration that have to be seen together. */
import { isRecord } from '../base/index.ts';
import type { Path } from '../config/index.ts';
import type { Draft } from './draft.ts';
import type { Entry } from './note.ts';
import { asAddress, asLines, asScalars, textOf } from './patroni-row.ts';
import type { PatroniSource } from './patroni-source.ts';

const ETCD_PORT = 2379;
/** Where Debian's PostgreSQL has its socket, if nothing else is said. */
const USUAL_SOCKET_DIR = '/var/run/postgresql';

/** Local values of these are ignored by Patroni: all members must have the same, so they are in the cluster-wide configuration. */
const CLUSTER_WIDE = [
  'max_connections',
  'max_locks_per_transaction',
  'max_worker_processes',
  'max_prepared_transactions',
  'max_wal_senders',
  'max_replication_slots',
  'wal_level',
  'wal_keep_segments',
  'wal_keep_size',
  'track_commit_timestamp',
];
/** Set by the agent, and by Patroni. */
const AGENTS_OWN = [
  'listen_addresses',
  'port',
  'cluster_name',
  'hot_standby',
  'wal_log_hints',
  'data_directory',
  'hba_file',
  'ident_file',
  'external_pid_file',
  'primary_conninfo',
  'primary_slot_name',
  'recovery_target_timeline',
];
/** What may be said of recovery. */
const RECOVERY = ['restore_command', 'archive_cleanup_command', 'recovery_min_apply_delay'];

/** Sections with names of the operator's own: methods to make a cluster or a standby. */
export function knownSections(source: PatroniSource): ReadonlySet<string> {
  const methods = ['create_replica_methods', 'create_replica_method'].flatMap((key) =>
    listOf(at(source.value, ['postgresql', key])).map((name) => `postgresql.${name}`),
  );
  const method = at(source.value, ['bootstrap', 'method']);
  return new Set([...methods, ...(typeof method === 'string' ? [`bootstrap.${method}`] : [])]);
}

/** As Patroni chooses: a URL, else the list, else the one. */
export function addEndpoints(draft: Draft, source: PatroniSource): void {
  const etcd = at(source.value, ['etcd3']);
  if (!isRecord(etcd)) return;
  const protocol = typeof etcd['protocol'] === 'string' ? etcd['protocol'] : 'http';
  const url = (host: string): string => `${protocol}://${withPort(host, Number(etcd['port'] ?? ETCD_PORT))}`;
  const key = ['proxy', 'url', 'hosts', 'host'].find((each) => (etcd[each] ?? '') !== '');
  if (key === undefined) return;
  const entry = entryOf(source, ['etcd3', key]);
  const text = etcd[key];
  if (key !== 'proxy' && key !== 'url') return draft.set('etcd.endpoints', listOf(text).map(url), entry);
  if (typeof text !== 'string' || !URL.canParse(text)) return draft.note(entry, 'is no URL; left out');
  const parsed = new URL(text);
  if (parsed.username !== '') {
    draft.set('etcd.username', decodeURIComponent(parsed.username), entry);
    draft.set('etcd.password', decodeURIComponent(parsed.password), entry);
  }
  draft.set('etcd.endpoints', [`${parsed.protocol}//${withPort(parsed.host, ETCD_PORT)}`], entry);
}

function withPort(host: string, port: number): string {
  const read = asAddress(port)(host);
  return 'value' in read ? String(read.value) : host;
}

/** Settings of PostgreSQL, where it is, and the roles. */
export function addPostgresql(draft: Draft, source: PatroniSource, binDir: string | undefined): void {
  const section = at(source.value, ['postgresql']);
  if (!isRecord(section)) return;
  const own = section['bin_dir'];
  if (typeof own === 'string' && own !== '')
    draft.set('postgresql.bin_dir', own, entryOf(source, ['postgresql', 'bin_dir']));
  else if (binDir !== undefined) draft.set('postgresql.bin_dir', binDir);
  configDir(draft, source, section);
  parameters(draft, source, section);
  hostRules(draft, source, section);
  cloning(draft, source, section);
  callbacks(draft, source, section);
  roles(draft, source, section);
}

function configDir(draft: Draft, source: PatroniSource, section: Tree): void {
  const folder = section['config_dir'];
  if (typeof folder !== 'string' || folder === '' || folder === section['data_dir']) return;
  draft.note(
    entryOf(source, ['postgresql', 'config_dir']),
    'files are written to the data directory; what else is in this one is not read',
  );
}

function parameters(draft: Draft, source: PatroniSource, section: Tree): void {
  const result: Record<string, unknown> = {};
  const path = ['postgresql', 'parameters'];
  const given = section['parameters'];
  const read = asScalars(given ?? {});
  if ('bad' in read) draft.note(entryOf(source, path), `${read.bad}; left out`);
  const settings = 'value' in read && isRecord(read.value) ? read.value : {};
  for (const [name, value] of Object.entries(settings)) {
    const entry = entryOf(source, [...path, name]);
    if (CLUSTER_WIDE.includes(name)) {
      draft.note(entry, 'is read from the cluster-wide configuration only, as by Patroni');
    } else if (AGENTS_OWN.includes(name)) draft.note(entry, 'is the agent’s own to set');
    else if (name !== 'unix_socket_directories') result[name] = value;
  }
  recovery(draft, source, { given: section['recovery_conf'], result });
  if (Object.keys(result).length > 0) {
    const has = given === undefined || given === null ? ['postgresql', 'recovery_conf'] : path;
    draft.set('postgresql.parameters', result, entryOf(source, has));
  }
  draft.set(
    'postgresql.socket_dir',
    socketDir(source),
    entryOf(source, [...path, 'unix_socket_directories']),
  );
}

function recovery(
  draft: Draft,
  source: PatroniSource,
  { given, result }: { readonly given: unknown; readonly result: Record<string, unknown> },
): void {
  if (!isRecord(given)) return;
  for (const [name, value] of Object.entries(given)) {
    const entry = entryOf(source, ['postgresql', 'recovery_conf', name]);
    if (RECOVERY.includes(name)) result[name] = value;
    else if (!AGENTS_OWN.includes(name))
      draft.note(entry, 'a standby follows its leader as far as there is WAL');
  }
}

/** The first that is a path, as Patroni chooses; a server that runs already has it. */
function socketDir(source: PatroniSource): string {
  const places = [
    ['postgresql', 'parameters', 'unix_socket_directories'],
    ['bootstrap', 'dcs', 'postgresql', 'parameters', 'unix_socket_directories'],
  ];
  const named = places.map((path) => at(source.value, path)).find((value) => typeof value === 'string');
  const folder = listOf(named).find((each) => each.startsWith('/')) ?? USUAL_SOCKET_DIR;
  return folder.length > 1 ? folder.replace(/\/+$/, '') : folder;
}

/** Older files have the rules under `bootstrap`, for the cluster that is made. */
function hostRules(draft: Draft, source: PatroniSource, section: Tree): void {
  const path = ['bootstrap', 'pg_hba'];
  const rules = at(source.value, path);
  if (!Array.isArray(rules) || Array.isArray(section['pg_hba'])) return;
  if (Array.isArray(at(source.value, ['bootstrap', 'dcs', 'postgresql', 'pg_hba']))) return;
  const read = asLines(rules);
  if ('bad' in read) draft.note(entryOf(source, path), `${read.bad}; left out`);
  else draft.set('postgresql.pg_hba', read.value, entryOf(source, path));
}

function cloning(draft: Draft, source: PatroniSource, section: Tree): void {
  for (const key of ['create_replica_methods', 'create_replica_method']) {
    const others = listOf(section[key]).filter((method) => method !== 'basebackup');
    if (others.length === 0) continue;
    const says = `a standby is made by pg_basebackup from the leader; not used: ${others.join(', ')}`;
    draft.note(entryOf(source, ['postgresql', key]), says);
  }
}

/** The form of before `authentication`; and pg_rewind as the superuser, where there is no role for it. */
function roles(draft: Draft, source: PatroniSource, section: Tree): void {
  const isOld = !isRecord(section['authentication']);
  const paths = isOld
    ? { superuser: ['superuser'], replication: ['replication'], rewind: ['pg_rewind'] }
    : {
        superuser: ['authentication', 'superuser'],
        replication: ['authentication', 'replication'],
        rewind: ['authentication', 'rewind'],
      };
  const role = (path: readonly string[]): Tree | undefined => {
    const found = at(section, path);
    return isRecord(found) ? found : undefined;
  };
  const from = {
    superuser: role(paths.superuser) === undefined ? paths.rewind : paths.superuser,
    replication: paths.replication,
    rewind: role(paths.rewind) === undefined ? paths.superuser : paths.rewind,
  };
  for (const [name, path] of Object.entries(from)) {
    const given = role(path);
    // In the new form, what has a key of its own is carried over by its row.
    if (given === undefined || (!isOld && path.at(-1) === name)) continue;
    for (const key of ['username', 'password']) {
      const entry = entryOf(source, ['postgresql', ...path, key]);
      if (typeof given[key] === 'string')
        draft.set(`postgresql.authentication.${name}.${key}`, given[key], entry);
    }
  }
}

/** A mapping of names here, a list in matriarch.yaml. */
export function addUsers(draft: Draft, source: PatroniSource): void {
  const users = at(source.value, ['bootstrap', 'users']);
  if (!isRecord(users)) return;
  const list = Object.entries(users).flatMap(([username, user]) => {
    const { password, options } = isRecord(user) ? user : {};
    const attributes = listOf(options);
    if (typeof password === 'string' && password !== '')
      return [{ username, password, ...(attributes.length === 0 ? {} : { options: attributes }) }];
    draft.note(entryOf(source, ['bootstrap', 'users', username]), 'a role without a password is not made');
    return [];
  });
  if (list.length > 0) draft.set('bootstrap.users', list, entryOf(source, ['bootstrap', 'users']));
}

/** Which word a script waits for is not in the file. */
function callbacks(draft: Draft, source: PatroniSource, section: Tree): void {
  const given = section['callbacks'];
  if (!isRecord(given) || given['primary_role'] !== undefined) return;
  if (Object.values(given).every((command) => (command ?? '') === '')) return;
  draft.note(
    entryOf(source, ['postgresql', 'callbacks']),
    'a primary is told as `primary`, as by Patroni 4; scripts that wait for `master` need primary_role: master here, which Patroni ignores',
  );
}

/** What matriarch.yaml needs, and the source has elsewhere or not at all. */
export function addLeftOut(draft: Draft, source: PatroniSource, datacenter: string | undefined): void {
  const old = at(source.value, ['postgresql', 'name']);
  if (at(source.value, ['name']) === undefined && typeof old === 'string')
    draft.set('name', old, entryOf(source, ['postgresql', 'name']));
  if (at(source.value, ['log', 'type']) === 'json')
    draft.set('log.format', 'json', entryOf(source, ['log', 'type']));
  const tag = at(source.value, ['tags', 'datacenter']);
  const known = datacenter ?? (typeof tag === 'string' && tag !== '' ? tag : undefined);
  draft.set('datacenter', known ?? 'dc1');
  if (known === undefined) {
    draft.added(
      'datacenter',
      'dc1',
      'is not in the source; say it with LOCAL_DATACENTER or a tag `datacenter`, where there are several',
    );
  }
}

type Tree = Readonly<Record<string, unknown>>;

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((found, step) => (isRecord(found) ? found[String(step)] : undefined), value);
}

/** A list, or a text with commas. */
function listOf(value: unknown): readonly string[] {
  const items: unknown[] = typeof value === 'string' ? value.split(',') : Array.isArray(value) ? value : [];
  return items.map((each) => (textOf(each) ?? '').trim()).filter((each) => each !== '');
}

/** What stands at `path`, as notes show it. */
export function entryOf(source: PatroniSource, path: Path): Entry {
  const value = textOf(at(source.value, path)) ?? '';
  return { ...source.placeOf(path), section: '', key: path.join('.'), value };
}
