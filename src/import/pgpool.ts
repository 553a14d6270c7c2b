/**
 * pgpool.conf to matriarch.yaml. The backends become `nodes` with their weights; pgpool keeps a client's connections
 * for the client's session, so pools are in session mode. Pure: files that the source names are asked for and given.
 */
import { noteHostRules, readPoolPasswd, renderUserList } from './auth-files.ts';
import { Draft } from './draft.ts';
import { LOCAL_HOST, listenTo, NodeList } from './nodes.ts';
import type { Entry, Files, ImportStep, SourceFile, Wishes } from './note.ts';
import { readPgpoolFile } from './pgpool-file.ts';
import { clientsMax, PGPOOL_KEYS } from './pgpool-keys.ts';
import { numbered, type Reader, readFlag, time } from './row.ts';

const DEFAULTS = {
  port: '9999',
  listen_addresses: 'localhost',
  unix_socket_directories: '/tmp',
  num_init_children: '32',
  pool_passwd: 'pool_passwd',
  backend_port: '5432',
  backend_weight: '1',
};
/** Beside pgpool.conf, by this name. */
const HOST_RULES = 'pool_hba.conf';

export function importPgpool(source: SourceFile, files: Files, wishes: Wishes): ImportStep {
  const read = readPgpoolFile(source.path, source.text, files);
  const last = (key: string): Entry | undefined => read.entries.findLast((entry) => entry.key === key);
  const hasRules = readFlag(last('enable_pool_hba')?.value ?? '') === true;
  const passwd = last('pool_passwd')?.value ?? DEFAULTS.pool_passwd;
  const named = [...(hasRules ? [HOST_RULES] : []), ...(passwd === '' ? [] : [passwd])];
  const wants = [...read.wants, ...named.filter((name) => !files.has(name))];
  if (wants.length > 0) return { kind: 'wants', files: [...new Set(wants)] };

  const draft = new Draft(source.path);
  draft.addNames(wishes);
  for (const { says, ...entry } of read.strange) draft.note(entry, says);
  for (const entry of read.entries) draft.carryOut(PGPOOL_KEYS, entry, { as: withoutNumber(entry.key) });
  draft.addDefaults(PGPOOL_KEYS, read.entries);
  listen(draft, last);
  pools(draft, last);
  lag(draft, last);
  tls(draft, last);
  backends(draft, read.entries, last);
  if (hasRules) {
    const rules = files.get(HOST_RULES);
    draft.set('router.auth_type', 'hba');
    draft.set('router.auth_hba_file', rules?.path ?? HOST_RULES);
    if (rules !== undefined) draft.addNotes(noteHostRules(rules));
    else
      draft.added('router.auth_hba_file', HOST_RULES, 'cannot be read, so what is in it was not looked at');
  } else draft.set('router.auth_type', 'scram-sha-256');
  return { kind: 'done', imported: draft.done(passwords(draft, files.get(passwd), wishes)) };
}

/** The key as the table has it. */
function withoutNumber(key: string): string {
  return Object.hasOwn(PGPOOL_KEYS, key) ? key : (numbered(key)?.base ?? key);
}

type Last = (key: string) => Entry | undefined;

function listen(draft: Draft, last: Last): void {
  const address = last('listen_addresses');
  const port = last('port')?.value ?? DEFAULTS.port;
  draft.set('router.listen', listenTo(draft, address, { port, fallback: DEFAULTS.listen_addresses }));
  const socket = last('unix_socket_directories') ?? last('socket_dir');
  const [first = '', ...others] = (socket?.value ?? DEFAULTS.unix_socket_directories).split(',');
  if (socket !== undefined && others.length > 0)
    draft.note(socket, `a router has one Unix socket: in ${first}`);
  if (first !== '') draft.set('router.unix_socket_dir', first.trim(), socket);
}

function pools(draft: Draft, last: Last): void {
  draft.set('router.pool_mode', 'session');
  const children = last('num_init_children');
  const limit = clientsMax(children?.value ?? DEFAULTS.num_init_children);
  if ('value' in limit) {
    draft.set('router.max_client_conn', limit.value);
    draft.set('router.default_pool_size', limit.value);
  }
  if (children !== undefined) {
    draft.note(children, 'clients above it are refused with SQLSTATE 53300, where pgpool lets them wait');
  }
  const idle = last('client_idle_limit');
  if (idle === undefined) return;
  // pgpool disconnects an idle client inside a transaction as well as outside.
  apply(draft, idle, time('s'), ['router.client_idle_timeout', 'router.idle_transaction_timeout']);
}

/** The time counts where both are given; 0 is no limit, for which the router's own stands. */
function lag(draft: Draft, last: Last): void {
  const [byTime, byBytes] = [last('delay_threshold_by_time'), last('delay_threshold')];
  if (byTime !== undefined && byTime.value !== '0') apply(draft, byTime, time('ms'), ['router.max_lag']);
  else if (byBytes !== undefined && byBytes.value !== '0') apply(draft, byBytes, bytes, ['router.max_lag']);
}

const bytes: Reader = (value) =>
  /^\d+$/.test(value)
    ? { value: `${Math.ceil(Number(value) / BYTES_PER_KB)}kB` }
    : { bad: 'is no number of bytes' };

const BYTES_PER_KB = 1024;

function apply(draft: Draft, entry: Entry, reader: Reader, to: readonly string[]): void {
  const read = reader(entry.value);
  if ('bad' in read) return draft.note(entry, `${read.bad}; left out`);
  for (const key of to) draft.set(key, read.value, entry);
}

/** pgpool takes TLS where the other side does, on both sides, and proves nothing unless it has an authority's certificate. */
function tls(draft: Draft, last: Last): void {
  const isOn = readFlag(last('ssl')?.value ?? 'off') === true;
  draft.set('router.client_tls_sslmode', isOn ? 'allow' : 'disable');
  draft.set('router.server_tls_sslmode', isOn ? 'prefer' : 'disable');
  const authority = last('ssl_ca_cert');
  if (authority === undefined || authority.value === '') return;
  draft.set('router.client_tls_ca_file', authority.value, authority);
  draft.set('router.server_tls_ca_file', authority.value, authority);
  if (isOn) {
    draft.set('router.server_tls_sslmode', 'verify-ca');
    draft.note(
      authority,
      'servers have to prove themselves: server_tls_sslmode is verify-ca, and clear text is not fallen back to',
    );
  }
}

function backends(draft: Draft, entries: readonly Entry[], last: Last): void {
  const nodes = new NodeList(draft);
  const hosts = new Map<number, Entry>();
  for (const entry of entries) {
    const found = numbered(entry.key);
    if (found?.base === 'backend_hostname' && entry.value !== '') hosts.set(found.index, entry);
  }
  for (const [index, entry] of [...hosts].sort(([a], [b]) => a - b)) {
    const port = last(`backend_port${index}`)?.value ?? DEFAULTS.backend_port;
    const weight = last(`backend_weight${index}`);
    const name = last(`backend_application_name${index}`)?.value;
    const host = entry.value.startsWith('/') ? LOCAL_HOST : entry.value;
    if (host !== entry.value) draft.note(entry, `servers are reached by TCP only; ${LOCAL_HOST} is taken`);
    const named = name === undefined || name === '' ? {} : { name };
    nodes.add(entry, host, port, { ...named, weight: wholeWeight(draft, weight) });
  }
  if (nodes.size === 0) draft.added('nodes', '', 'no backend is named in the source; list the servers');
  nodes.finish((last('sr_check_user')?.value ?? '') !== '');
}

/** Our weights are whole numbers. */
function wholeWeight(draft: Draft, entry: Entry | undefined): number {
  const value = Number(entry?.value ?? DEFAULTS.backend_weight);
  if (Number.isInteger(value) && value >= 0 && value <= 1000) return value;
  const taken = Number.isFinite(value) ? Math.min(1000, Math.max(value > 0 ? 1 : 0, Math.round(value))) : 1;
  if (entry !== undefined) draft.note(entry, `weights are whole numbers up to 1000; ${taken} is taken`);
  return taken;
}

/** pgpool’s list of passwords is of another form than `auth_file`: it is written anew where somebody says where. */
function passwords(draft: Draft, file: SourceFile | undefined, { userList }: Wishes): string | undefined {
  if (file === undefined) return undefined;
  const { users, notes } = readPoolPasswd(file);
  draft.addNotes(notes);
  if (users.length === 0) return undefined;
  if (userList === undefined) {
    draft.added(
      'router.auth_file',
      '',
      `the passwords in ${file.path} are of another form; write them anew with --user-list FILE`,
    );
    return undefined;
  }
  draft.set('router.auth_file', userList);
  return renderUserList(users);
}
