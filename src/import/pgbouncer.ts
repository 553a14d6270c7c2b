/**
 * pgbouncer.ini to matriarch.yaml. The servers of [databases] become `nodes`; what PgBouncer does by default and we do
 * otherwise is written out. Pure: files that the source names are asked for (`wants`) and given in the next call.
 */
import { isPlain, noteHostRules, readUserList } from './auth-files.ts';
import { Draft } from './draft.ts';
import { readConnectionString, readIni } from './ini.ts';
import { LOCAL_HOST, listenTo, NodeList } from './nodes.ts';
import { type Entry, type Files, type ImportStep, noteOn, type SourceFile, type Wishes } from './note.ts';
import { PGBOUNCER_KEYS } from './pgbouncer-keys.ts';
import { DATABASE_KEYS, PEER_KEYS, USER_KEYS } from './pgbouncer-sections.ts';

const DEFAULT_PORT = '6432';
const DEFAULT_SOCKET_DIR = '/tmp';
const SERVER_PORT = '5432';

export function importPgbouncer(source: SourceFile, files: Files, wishes: Wishes): ImportStep {
  const ini = readIni(source.path, source.text, files);
  const main = ini.entries.filter(({ section }) => section === 'pgbouncer');
  const named = ['auth_file', 'auth_hba_file', 'auth_ident_file'].flatMap(
    (key) => lastOf(main, key)?.value || [],
  );
  const wants = [...ini.wants, ...named.filter((name) => !files.has(name))];
  if (wants.length > 0) return { kind: 'wants', files: [...new Set(wants)] };

  const draft = new Draft(source.path);
  draft.addNames(wishes);
  for (const { says, ...entry } of ini.strange) draft.note(entry, says);
  databases(draft, ini.entries);
  for (const entry of main) draft.carryOut(PGBOUNCER_KEYS, entry);
  draft.addDefaults(PGBOUNCER_KEYS, main);
  listen(draft, main);
  authentication(draft, main, files);
  settingsOf(draft, ini.entries, { section: 'users', table: USER_KEYS, under: ['router', 'users'] });
  settingsOf(draft, ini.entries, { section: 'peers', table: PEER_KEYS, under: [] });
  const known = ['pgbouncer', 'databases', 'users', 'peers'];
  for (const entry of ini.entries) {
    if (!known.includes(entry.section)) draft.note(entry, `the section [${entry.section}] is not known`);
  }
  return { kind: 'done', imported: draft.done(undefined) };
}

/** The last setting of a key is the one that counts. */
const lastOf = (entries: readonly Entry[], key: string): Entry | undefined =>
  entries.findLast((entry) => entry.key === key);

function listen(draft: Draft, main: readonly Entry[]): void {
  const address = lastOf(main, 'listen_addr');
  const port = lastOf(main, 'listen_port')?.value ?? DEFAULT_PORT;
  if (address === undefined || address.value === '') {
    draft.added(
      'router.listen',
      `${LOCAL_HOST}:${port}`,
      'the source listens on a Unix socket only; a router also needs an address',
    );
  }
  draft.set('router.listen', listenTo(draft, address, { port, fallback: LOCAL_HOST }));
  const socket = lastOf(main, 'unix_socket_dir');
  const folder = socket?.value ?? DEFAULT_SOCKET_DIR;
  if (folder.startsWith('@') && socket !== undefined)
    draft.note(socket, 'there are no abstract sockets; left out');
  else if (folder !== '') draft.set('router.unix_socket_dir', folder, socket);
}

function databases(draft: Draft, entries: readonly Entry[]): void {
  const nodes = new NodeList(draft);
  const ours = entries.filter(({ section }) => section === 'databases');
  let hasAny = false;
  for (const entry of ours) {
    const pairs = readConnectionString(entry.value);
    if (pairs === undefined) {
      draft.note(entry, 'is no connection string; left out');
      continue;
    }
    const given = new Map(pairs);
    hasAny ||= entry.key === '*';
    const port = given.get('port') ?? SERVER_PORT;
    for (const host of (given.get('host') ?? '').split(','))
      nodes.add(entry, serverOf(draft, entry, host), port);
    const dbname = given.get('dbname');
    if (dbname !== undefined && dbname !== entry.key) {
      if (entry.key === '*')
        draft.note(part(entry, 'dbname', dbname), 'one database for all names is not possible');
      else draft.set(['router', 'databases', entry.key, 'dbname'], dbname);
    }
    for (const [key, value] of pairs) databasePart(draft, part(entry, key, value), entry.key);
  }
  const last = ours.at(-1);
  if (last === undefined) draft.added('nodes', '', 'no server is named in [databases]; list the servers');
  else if (!hasAny) {
    draft.note(
      { ...last, key: '[databases]', value: '' },
      'clients can connect to each database of the servers, not only to those listed; restrict them with router.hba',
    );
  }
  nodes.finish(
    (lastOf(
      entries.filter(({ section }) => section === 'pgbouncer'),
      'auth_user',
    )?.value ?? '') !== '',
  );
}

const part = (entry: Entry, key: string, value: string): Entry => ({ ...entry, key, value });

function databasePart(draft: Draft, entry: Entry, database: string): void {
  const row = DATABASE_KEYS[entry.key];
  if (database === '*' && row !== undefined && 'to' in row) {
    draft.note(entry, 'is for the databases that are not listed: say it with the router’s own key, for all');
    return;
  }
  draft.carryOut(DATABASE_KEYS, entry, {
    under: ['router', 'databases', database],
  });
}

function serverOf(draft: Draft, entry: Entry, host: string): string {
  const name = host.trim();
  if (name !== '' && !/^[/@]/.test(name)) return name;
  draft.note(part(entry, 'host', name), `servers are reached by TCP only; ${LOCAL_HOST} is taken`);
  return LOCAL_HOST;
}

interface Section {
  readonly section: string;
  readonly table: typeof USER_KEYS;
  readonly under: readonly string[];
}

function settingsOf(draft: Draft, entries: readonly Entry[], { section, table, under }: Section): void {
  for (const entry of entries.filter((each) => each.section === section)) {
    const pairs = readConnectionString(entry.value);
    if (pairs === undefined) draft.note(entry, 'is no list of key=value; left out');
    for (const [key, value] of pairs ?? [])
      draft.carryOut(table, part(entry, key, value), { under: [...under, entry.key] });
  }
}

function authentication(draft: Draft, main: readonly Entry[], files: Files): void {
  const usersFile = keepFile(draft, lastOf(main, 'auth_file'), files);
  hostRules(draft, main, files);
  const user = lastOf(main, 'auth_user');
  if (user === undefined || user.value === '') return;
  const listed = readUserList(usersFile?.text ?? '').find(({ name }) => name === user.value);
  if (listed === undefined || !isPlain(listed.password)) {
    draft.note(
      user,
      'its password is not in auth_file in clear; set router.auth_user and router.auth_password',
    );
    return;
  }
  draft.set('router.auth_user', user.value, user);
  draft.set('router.auth_password', listed.password);
}

/** Only the type `hba` looks at them, here as there. */
function hostRules(draft: Draft, main: readonly Entry[], files: Files): void {
  const entries = ['auth_hba_file', 'auth_ident_file'].flatMap((key) => lastOf(main, key) ?? []);
  if (lastOf(main, 'auth_type')?.value !== 'hba') {
    for (const entry of entries) draft.note(entry, 'has no effect where auth_type is not hba; left out');
    return;
  }
  for (const entry of entries) {
    const file = keepFile(draft, entry, files);
    if (file !== undefined && entry.key === 'auth_hba_file') draft.addNotes(noteHostRules(file));
  }
}

/** Files stay where they are; a name that is relative is made absolute where the file was found. */
function keepFile(draft: Draft, entry: Entry | undefined, files: Files): SourceFile | undefined {
  if (entry === undefined || entry.value === '') return undefined;
  const file = files.get(entry.value);
  draft.set(`router.${entry.key}`, file?.path ?? entry.value, entry);
  if (file === undefined)
    draft.addNotes([noteOn(entry, 'cannot be read, so what is in it was not looked at')]);
  return file;
}
