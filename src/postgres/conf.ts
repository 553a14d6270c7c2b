/**
 * Text of the files that configure a server: postgresql.conf (whole, after what initdb made), pg_hba.conf, the password
 * file, and postgresql.auto.conf cleaned of what would overrule us. Values in, text out. [pure]
 */
import { MatriarchError } from '../base/index.ts';
import { type ControlData, FLOORS } from './control-data.ts';
import type { PostgresSettings, Role, Upstream } from './types.ts';

type Value = string | number | boolean;
type Settings = Readonly<Record<string, Value>>;

export interface ConfInput {
  readonly settings: PostgresSettings;
  readonly scope: string;
  readonly name: string;
  readonly socketDir: string;
  readonly passFile: string;
  readonly as: Role;
  readonly upstream: Upstream | undefined;
  readonly slot: string | undefined;
  readonly parameters: Settings;
  /** Overrules `parameters` where it is given. */
  readonly synchronousStandbyNames: string | undefined;
  /** Clients are kept out: told in a setting of ours, by which a session sees what the server has read. */
  readonly isClosed?: boolean;
  /** Of this data directory; a standby must not fall below its primary's settings, or it refuses to start. */
  readonly control: ControlData | undefined;
}

/** Begins every file of ours, so that initdb's are told apart. */
export const HEADER = '# Written whole by Matriarch; changes made here are lost.\n';

/** The role of the routers: may read verifiers through one function, and see statistics. */
export const ROUTER_ROLE = 'matriarch_router';

/** What fits replication over three datacenters better than PostgreSQL's own defaults. `parameters` may say otherwise. */
const DEFAULTS: Settings = {
  max_connections: 100,
  max_wal_senders: 10,
  max_replication_slots: 10,
  wal_level: 'replica',
  wal_keep_size: '128MB',
  // A standby that stays away must not fill the primary's disk: beyond this it is cloned afresh.
  max_slot_wal_keep_size: '8GB',
  wal_sender_timeout: '15s',
  wal_receiver_timeout: '15s',
  wal_receiver_status_interval: '1s',
  // How soon a standby that lost its upstream tries again; 5 s would be most of a failover.
  wal_retrieve_retry_interval: '500ms',
  password_encryption: 'scram-sha-256',
  log_line_prefix: '%m [%p] %q%u@%d ',
};

const FLOOR_SETTING: Readonly<Record<(typeof FLOORS)[number], string>> = {
  max_connections: 'max_connections',
  max_worker_processes: 'max_worker_processes',
  max_wal_senders: 'max_wal_senders',
  max_prepared_xacts: 'max_prepared_transactions',
  max_locks_per_xact: 'max_locks_per_transaction',
};

/** The least that three members with clones under way need. */
const AT_LEAST: Readonly<Record<string, number>> = { max_wal_senders: 5, max_replication_slots: 5 };

const RECOVERY_SETTINGS = [
  'restore_command',
  'archive_cleanup_command',
  'recovery_end_command',
  'recovery_target',
  'recovery_target_action',
  'recovery_target_inclusive',
  'recovery_target_lsn',
  'recovery_target_name',
  'recovery_target_time',
  'recovery_target_timeline',
  'recovery_target_xid',
  'promote_trigger_file',
  'recovery_min_apply_delay',
  'primary_conninfo',
  'primary_slot_name',
] as const;

/** Settings that only the agent decides. */
function ownedSettings(input: ConfInput): Settings {
  return {
    listen_addresses: input.settings.listen.host,
    port: input.settings.listen.port,
    unix_socket_directories: input.socketDir,
    cluster_name: input.scope,
    hot_standby: true,
    wal_log_hints: true,
    recovery_target_timeline: 'latest',
    // Said although it is the default: to take what Patroni has written out of a running server's file would need a restart.
    recovery_target: '',
    recovery_target_lsn: '',
    recovery_target_name: '',
    recovery_target_time: '',
    recovery_target_xid: '',
    primary_conninfo:
      input.as === 'standby' && input.upstream !== undefined ? connInfo(input, input.upstream) : '',
    primary_slot_name: input.as === 'standby' && input.upstream !== undefined ? (input.slot ?? '') : '',
    ...(input.isClosed === true ? { [ADMITS]: 'members' } : {}),
    ...(input.synchronousStandbyNames === undefined
      ? {}
      : {
          synchronous_standby_names: input.synchronousStandbyNames,
          // A server that restarts by itself shows commits that no standby has, and nobody has promised anything of them.
          restart_after_crash: false,
        }),
  };
}

/** Says `members` in a server that is closed to clients. */
const ADMITS = 'matriarch.admits';

/** The agent's while it sees to durability. */
const OF_DURABILITY: readonly string[] = ['synchronous_standby_names', 'restart_after_crash'];

const SERVER_SETTINGS = [
  'listen_addresses',
  'port',
  'unix_socket_directories',
  'cluster_name',
  'hot_standby',
  'wal_log_hints',
  'wal_level',
  'data_directory',
  'hba_file',
  'ident_file',
  'external_pid_file',
  ADMITS,
] as const;

const OWNED_NAMES: ReadonlySet<string> = new Set([...SERVER_SETTINGS, ...RECOVERY_SETTINGS]);

/** Whatever a configuration says of it, the agent writes its own value. */
export function isAgentsSetting(name: string): boolean {
  const key = name.toLowerCase();
  return OWNED_NAMES.has(key) && !RECOVERY_FROM_PARAMETERS.has(key) && key !== 'wal_level';
}

/** Recovery settings that may be given as `parameters`; the other owned ones are overruled. */
const RECOVERY_FROM_PARAMETERS = new Set([
  'restore_command',
  'archive_cleanup_command',
  'recovery_min_apply_delay',
]);

/** Whether a `postgresql.conf` of ours was written while the agent saw to durability. */
export const isDurable = (content: string): boolean =>
  content.startsWith(HEADER) && /^restart_after_crash = off$/m.test(content);

/** Throws `postgres-setting-invalid` for a name or value that could break out of its line. */
export function renderPostgresqlConf(input: ConfInput): string {
  const values = new Map<string, Value>(Object.entries(DEFAULTS));
  for (const [name, value] of Object.entries(input.parameters)) {
    const key = name.toLowerCase();
    if (key === 'wal_level') values.set(key, value === 'logical' ? 'logical' : 'replica');
    else if (!OWNED_NAMES.has(key) || RECOVERY_FROM_PARAMETERS.has(key)) values.set(key, value);
  }
  for (const [name, least] of Object.entries(AT_LEAST)) raise(values, name, least);
  if (input.as === 'standby' && input.control !== undefined) {
    for (const floor of FLOORS) raise(values, FLOOR_SETTING[floor], input.control.floors[floor]);
  }
  for (const [name, value] of Object.entries(ownedSettings(input))) values.set(name, value);
  const lines = [...values].map(([name, value]) => `${checkedName(name)} = ${quoteSetting(name, value)}\n`);
  return `${HEADER}include_if_exists 'postgresql.base.conf'\n${lines.join('')}`;
}

/** The agent's own lines come first, so that no line of the user can lock it out. */
export function renderHba(settings: PostgresSettings, lines: readonly string[]): string {
  const theirs = lines.length > 0 ? lines : ['host all all all scram-sha-256'];
  for (const line of theirs) {
    if (/[\r\n\0]/.test(line)) throw invalid('a line of pg_hba holds a line break');
  }
  const own = [...linesOfMembers(settings), `host postgres ${quoteHba(ROUTER_ROLE)} all scram-sha-256`];
  return `${HEADER}${[...own, ...theirs].join('\n')}\n`;
}

const CLOSED = '# Closed to clients until its standbys have what it shows.\n';

/** Nobody comes in but who makes the members equal: the agent itself, standbys, pg_rewind. */
export function renderClosedHba(settings: PostgresSettings): string {
  const kinds = ['local all all', 'host all all all', 'local replication all', 'host replication all all'];
  const lines = [...linesOfMembers(settings), ...kinds.map((kind) => `${kind} reject`)];
  return `${HEADER}${CLOSED}${lines.join('\n')}\n`;
}

export const isClosedHba = (content: string): boolean => content.startsWith(`${HEADER}${CLOSED}`);

function linesOfMembers({ authentication }: PostgresSettings): readonly string[] {
  const { superuser, replication, rewind } = authentication;
  return [
    `local all ${quoteHba(superuser.username)} scram-sha-256`,
    `local replication ${quoteHba(superuser.username)} scram-sha-256`,
    `host replication ${quoteHba(replication.username)} all scram-sha-256`,
    `host postgres ${quoteHba(rewind.username)} all scram-sha-256`,
  ];
}

/** One line a role that standbys and pg_rewind log in as, for whichever member is the upstream. */
export function renderPassFile(settings: PostgresSettings): string {
  const { replication, rewind } = settings.authentication;
  return [replication, rewind]
    .map(({ username, password }) => `*:*:*:${escapePassFile(username)}:${escapePassFile(password)}\n`)
    .join('');
}

/** `postgresql.auto.conf` without the settings that only the agent decides; other ALTER SYSTEM settings stay. */
export function cleanAutoConf(content: string, isDurabilityOurs = false): string {
  const isOurs = (name: string): boolean =>
    OWNED_NAMES.has(name) || (isDurabilityOurs && OF_DURABILITY.includes(name));
  const kept = content.split('\n').filter((line) => {
    const name = /^\s*([A-Za-z_][\w.]*)\s*[=\s]/.exec(line)?.[1];
    return name === undefined || !isOurs(name.toLowerCase());
  });
  return kept.join('\n');
}

/** libpq's `key='value'` form, without a password: that is in the password file. */
export function renderConnInfo(parts: Readonly<Record<string, string | number>>): string {
  return Object.entries(parts)
    .map(([key, value]) => `${key}='${String(value).replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`)
    .join(' ');
}

function connInfo(input: ConfInput, upstream: Upstream): string {
  return renderConnInfo({
    host: upstream.host,
    port: upstream.port,
    user: input.settings.authentication.replication.username,
    passfile: input.passFile,
    application_name: input.name,
    sslmode: 'prefer',
    connect_timeout: 5,
    tcp_user_timeout: 10_000,
  });
}

function raise(values: Map<string, Value>, name: string, least: number): void {
  const set = values.get(name);
  const current = set === undefined ? 0 : Number(set);
  if (!(current >= least)) values.set(name, least);
}

function checkedName(name: string): string {
  if (/^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)?$/.test(name)) return name;
  throw invalid(`${JSON.stringify(name)} is no name of a setting`);
}

function quoteSetting(name: string, value: Value): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (typeof value === 'number') return `${value}`;
  if (/[\r\n\0]/.test(value)) throw invalid(`${name} holds a line break`);
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

function quoteHba(name: string): string {
  if (/["\r\n\0]/.test(name)) throw invalid(`${JSON.stringify(name)} cannot be written in pg_hba.conf`);
  return `"${name}"`;
}

function escapePassFile(text: string): string {
  if (/[\r\n\0]/.test(text)) throw invalid('a user name or password with a line break');
  return text.replaceAll('\\', '\\\\').replaceAll(':', '\\:');
}

function invalid(problem: string): MatriarchError {
  return new MatriarchError('postgres-setting-invalid', problem);
}
