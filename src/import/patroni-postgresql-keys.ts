/** The keys of the section `postgresql` of Patroni's configuration file, and what becomes of each. */
import { asAddress, asFilled, asLines, asText, type PatroniRow, type PatroniTable } from './patroni-row.ts';

/** How a role connects, beside its name and password: libpq's words. */
export const ROLE_CONNECTION_KEYS: readonly string[] = [
  'sslmode',
  'sslcert',
  'sslkey',
  'sslpassword',
  'sslrootcert',
  'sslcrl',
  'sslcrldir',
  'gssencmode',
  'channel_binding',
  'sslnegotiation',
];

const OLD_FORM = 'postgresql.authentication, as of Patroni before 1.3';
const CLONED = 'a standby is made by pg_basebackup from the leader';
const CLONE_ANEW = 'what cannot be rewound is always cloned anew';

const role = (name: string): PatroniTable => ({
  [`postgresql.authentication.${name}.username`]: {
    to: `postgresql.authentication.${name}.username`,
    read: asText,
  },
  [`postgresql.authentication.${name}.password`]: {
    to: `postgresql.authentication.${name}.password`,
    read: asText,
  },
  ...Object.fromEntries(
    ROLE_CONNECTION_KEYS.map((key): [string, PatroniRow] => [
      `postgresql.authentication.${name}.${key}`,
      key === 'sslmode'
        ? {
            refused: 'members connect to each other with sslmode prefer only',
            unless: ['disable', 'allow', 'prefer'],
          }
        : { none: 'members connect to each other with sslmode prefer' },
    ]),
  ),
});

export const PATRONI_POSTGRESQL_KEYS: PatroniTable = {
  'postgresql.listen': { to: 'postgresql.listen', read: asAddress(5432) },
  'postgresql.connect_address': { to: 'postgresql.connect_address', read: asAddress(5432) },
  'postgresql.proxy_address': { none: 'is not published; routers know the members', silentIf: [''] },
  'postgresql.data_dir': { to: 'postgresql.data_dir', read: asText },
  'postgresql.bin_dir': { together: 'postgresql.bin_dir; left out, it is where PATH has `postgres`' },
  'postgresql.bin_name': { none: 'programs have PostgreSQL’s own names' },
  'postgresql.config_dir': { together: 'postgresql.data_dir, where the files of PostgreSQL are written' },
  'postgresql.config_base_name': { none: 'the file is postgresql.conf', silentIf: ['postgresql'] },
  'postgresql.custom_conf': { none: 'postgresql.base.conf is included', silentIf: [''] },
  'postgresql.pgpass': { none: 'passwords of members are in DATA_DIR.pgpass' },
  'postgresql.database': { none: 'the agent connects to the database postgres', silentIf: ['postgres'] },
  ...role('superuser'),
  ...role('replication'),
  ...role('rewind'),
  'postgresql.superuser': { together: OLD_FORM },
  'postgresql.replication': { together: OLD_FORM },
  'postgresql.pg_rewind': { together: OLD_FORM },
  'postgresql.name': { together: 'name, where that is left out' },
  'postgresql.parameters': {
    together:
      'postgresql.parameters, but for those that Patroni takes from the cluster-wide configuration only, and those of the agent',
  },
  'postgresql.pg_hba': {
    to: 'postgresql.pg_hba',
    read: asLines,
  },
  'postgresql.pg_ident': { none: 'pg_ident.conf is left as it is' },
  'postgresql.recovery_conf': { together: 'postgresql.parameters' },
  'postgresql.use_unix_socket': { none: 'the agent always connects through the Unix socket' },
  'postgresql.use_unix_socket_repl': { none: 'the agent always connects through the Unix socket' },
  'postgresql.use_slots': { none: 'is read from the cluster-wide configuration only, as by Patroni' },
  'postgresql.use_pg_rewind': { none: 'what has diverged is always rewound', silentIf: [true] },
  'postgresql.remove_data_directory_on_rewind_failure': { none: CLONE_ANEW, silentIf: [true] },
  'postgresql.remove_data_directory_on_diverged_timelines': { none: CLONE_ANEW, silentIf: [true] },
  'postgresql.pg_ctl_timeout': { none: 'a start is waited for as long as it makes progress' },
  'postgresql.create_replica_methods': { together: `nothing: ${CLONED}` },
  'postgresql.create_replica_method': { together: `nothing: ${CLONED}` },
  'postgresql.basebackup': { none: CLONED },
  ...Object.fromEntries(
    ['on_start', 'on_stop', 'on_restart', 'on_reload', 'on_role_change'].map((key): [string, PatroniRow] => [
      `postgresql.callbacks.${key}`,
      { to: `postgresql.callbacks.${key}`, read: asFilled },
    ]),
  ),
  'postgresql.callbacks.primary_role': { to: 'postgresql.callbacks.primary_role', read: asText },
  'postgresql.pre_promote': { refused: 'no program is asked before a promotion', unless: [''] },
  'postgresql.before_stop': { none: 'no program is run before PostgreSQL is stopped', silentIf: [''] },
  'postgresql.krbsrvname': { none: 'there is no Kerberos', silentIf: [''] },
};
