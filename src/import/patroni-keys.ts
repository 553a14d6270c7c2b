/** Every key of Patroni's configuration file, of versions 2 to 4, but those of `postgresql`, and what becomes of it. */
import { PATRONI_POSTGRESQL_KEYS } from './patroni-postgresql-keys.ts';
import {
  asAddress,
  asFilled,
  asIs,
  asLevel,
  asListener,
  asOptions,
  asScalars,
  asSwitch,
  asText,
  asTexts,
  asWatchdogMode,
  type PatroniTable,
} from './patroni-row.ts';

const LOGGED =
  'logs go to standard output, as JSON or text (log.format); what keeps them is the service manager';
const OTHER_STORE = 'the truth about the cluster is in etcd, by its protocol of version 3, and nowhere else';
const ONE_LISTENER = 'the REST API takes as many requests as come';
const DYNAMIC = 'is read from the cluster-wide configuration only, as by Patroni';
const OWN_LEASE =
  'is for members that Patroni runs; this agent’s are lease.ttl (5s), lease.keep_alive (1s) and lease.loop_wait (1s)';
const NOT_OBEYED = 'is kept for members that Patroni runs; this agent goes by';

const NO_METHOD =
  'is not run here: this agent makes no cluster by itself, and joins one that is there (a copy by pg_basebackup)';

/** Under `bootstrap.dcs`, where all is carried over as it is: what this agent does otherwise. */
const DYNAMIC_KEYS: PatroniTable = {
  'bootstrap.dcs.ttl': { none: OWN_LEASE },
  'bootstrap.dcs.loop_wait': { none: OWN_LEASE },
  'bootstrap.dcs.retry_timeout': { none: OWN_LEASE },
  'bootstrap.dcs.maximum_lag_on_failover': { together: 'bootstrap.dcs, and obeyed' },
  'bootstrap.dcs.maximum_lag_on_syncnode': {
    none: `${NOT_OBEYED} who streams`,
    silentIf: [-1],
  },
  'bootstrap.dcs.max_timelines_history': { none: `${NOT_OBEYED} PostgreSQL’s whole history`, silentIf: [0] },
  'bootstrap.dcs.check_timeline': { together: 'bootstrap.dcs; timelines are always checked' },
  'bootstrap.dcs.primary_start_timeout': { together: 'bootstrap.dcs, and obeyed' },
  'bootstrap.dcs.master_start_timeout': { together: 'bootstrap.dcs, and obeyed' },
  'bootstrap.dcs.primary_stop_timeout': { none: `${NOT_OBEYED} the end of its lease`, silentIf: [0] },
  'bootstrap.dcs.master_stop_timeout': { none: `${NOT_OBEYED} the end of its lease`, silentIf: [0] },
  'bootstrap.dcs.synchronous_mode': {
    together: 'bootstrap.dcs, and obeyed, as a quorum',
    says: 'every form of it is a quorum here; members that Patroni before 4.0 runs do not know that, and one without the last writes could lead: change all hosts, or switch it off meanwhile',
    silentIf: [false, 'quorum'],
  },
  'bootstrap.dcs.synchronous_mode_strict': { together: 'bootstrap.dcs, and obeyed' },
  'bootstrap.dcs.synchronous_node_count': { together: 'bootstrap.dcs, and obeyed' },
  'bootstrap.dcs.failsafe_mode': { together: 'bootstrap.dcs, and obeyed' },
  'bootstrap.dcs.standby_cluster': {
    refused: 'there are no standby clusters: this member would become a primary',
    unless: [null],
  },
  'bootstrap.dcs.pause': { together: 'bootstrap.dcs, and obeyed' },
  'bootstrap.dcs.slots': { together: 'bootstrap.dcs, and obeyed; logical slots are on the leader alone' },
  'bootstrap.dcs.permanent_slots': { together: 'bootstrap.dcs, and obeyed as `slots`' },
  'bootstrap.dcs.permanent_replication_slots': { together: 'bootstrap.dcs, and obeyed as `slots`' },
  'bootstrap.dcs.ignore_slots': { together: 'bootstrap.dcs; slots that are no member’s are left alone' },
  'bootstrap.dcs.member_slots_ttl': { none: `${NOT_OBEYED} 30 minutes`, silentIf: ['30min'] },
  'bootstrap.dcs.primary_race_backoff': { none: `${NOT_OBEYED} its own pauses` },
  'bootstrap.dcs.postgresql.parameters': { together: 'bootstrap.dcs, and obeyed' },
  'bootstrap.dcs.postgresql.pg_hba': { together: 'bootstrap.dcs, and obeyed' },
  'bootstrap.dcs.postgresql.pg_ident': { none: `${NOT_OBEYED} no map`, silentIf: [null] },
  'bootstrap.dcs.postgresql.recovery_conf': { none: `${NOT_OBEYED} postgresql.parameters` },
  'bootstrap.dcs.postgresql.use_pg_rewind': {
    none: `${NOT_OBEYED} need: what has diverged is rewound`,
    silentIf: [true],
  },
  'bootstrap.dcs.postgresql.use_slots': { none: `${NOT_OBEYED} slots, always`, silentIf: [true] },
  'bootstrap.dcs.postgresql.remove_data_directory_on_rewind_failure': {
    none: `${NOT_OBEYED} need: what cannot be rewound is cloned anew`,
    silentIf: [true],
  },
  'bootstrap.dcs.postgresql.remove_data_directory_on_diverged_timelines': {
    none: `${NOT_OBEYED} need: what cannot be rewound is cloned anew`,
    silentIf: [true],
  },
  'bootstrap.dcs.postgresql.*': { none: 'is kept for members that Patroni runs' },
};

export const PATRONI_KEYS: PatroniTable = {
  name: { to: 'name', read: asText },
  scope: { to: 'scope', read: asText },
  namespace: { to: 'namespace', read: asText },

  'log.type': { together: 'log.format' },
  'log.level': { to: 'log.level', read: asLevel },
  'log.traceback_level': { none: LOGGED },
  'log.format': { none: LOGGED },
  'log.dateformat': { none: LOGGED },
  'log.static_fields': { none: LOGGED },
  'log.max_queue_size': { none: LOGGED },
  'log.dir': { none: LOGGED },
  'log.mode': { none: LOGGED },
  'log.file_num': { none: LOGGED },
  'log.file_size': { none: LOGGED },
  'log.loggers': { none: LOGGED },
  'log.deduplicate_heartbeat_logs': { none: 'what goes on as before is not logged again' },

  'etcd3.host': { together: 'etcd.endpoints' },
  'etcd3.hosts': { together: 'etcd.endpoints' },
  'etcd3.port': { together: 'etcd.endpoints' },
  'etcd3.url': { together: 'etcd.endpoints' },
  'etcd3.proxy': { together: 'etcd.endpoints' },
  'etcd3.protocol': { together: 'etcd.endpoints' },
  'etcd3.use_proxies': { none: 'only the etcd members that are named are asked' },
  'etcd3.srv': { refused: 'etcd members are not looked up in DNS; list them in etcd3.hosts' },
  'etcd3.srv_suffix': { refused: 'etcd members are not looked up in DNS; list them in etcd3.hosts' },
  'etcd3.username': { to: 'etcd.username', read: asFilled },
  'etcd3.password': { to: 'etcd.password', read: asFilled },
  'etcd3.cacert': { to: 'etcd.cacert', read: asFilled },
  'etcd3.cert': { to: 'etcd.cert', read: asFilled },
  'etcd3.key': { to: 'etcd.key', read: asFilled },
  etcd: {
    refused:
      'is etcd’s protocol of version 2, whose keys are not seen by version 3: let Patroni use etcd3 first, on all members',
  },
  consul: { refused: OTHER_STORE },
  zookeeper: { refused: OTHER_STORE },
  exhibitor: { refused: OTHER_STORE },
  kubernetes: { refused: OTHER_STORE },
  raft: { refused: OTHER_STORE },
  citus: { refused: 'there is no support for Citus' },

  'restapi.listen': { to: 'restapi.listen', read: asListener(8008) },
  'restapi.connect_address': { to: 'restapi.connect_address', read: asAddress(8008) },
  'restapi.authentication.username': { to: 'restapi.authentication.username', read: asText },
  'restapi.authentication.password': { to: 'restapi.authentication.password', read: asText },
  'restapi.auth': { refused: 'is of an old form; say it as restapi.authentication', unless: [''] },
  'restapi.certfile': { to: 'restapi.certfile', read: asFilled },
  'restapi.keyfile': { to: 'restapi.keyfile', read: asFilled },
  'restapi.keyfile_password': { to: 'restapi.keyfile_password', read: asFilled },
  'restapi.cafile': { to: 'restapi.cafile', read: asFilled },
  'restapi.ciphers': { none: 'the ciphers are those of the Node.js in use' },
  'restapi.verify_client': { to: 'restapi.verify_client', read: asFilled },
  'restapi.allowlist': { to: 'restapi.allowlist', read: asTexts },
  'restapi.allowlist_include_members': { to: 'restapi.allowlist_include_members', read: asSwitch },
  'restapi.http_extra_headers': { none: 'answers have no further headers' },
  'restapi.https_extra_headers': { none: 'answers have no further headers' },
  'restapi.request_queue_size': { none: ONE_LISTENER },
  'restapi.server_tokens': { none: 'answers do not say what serves them' },

  'ctl.authentication.username': { to: 'ctl.authentication.username', read: asText },
  'ctl.authentication.password': { to: 'ctl.authentication.password', read: asText },
  'ctl.insecure': { to: 'ctl.insecure', read: asSwitch },
  'ctl.cacert': { to: 'ctl.cacert', read: asFilled },
  'ctl.certfile': { to: 'ctl.certfile', read: asFilled },
  'ctl.keyfile': { to: 'ctl.keyfile', read: asFilled },
  'ctl.keyfile_password': { to: 'ctl.keyfile_password', read: asFilled },

  'bootstrap.dcs': { to: 'bootstrap.dcs', read: asIs },
  ...DYNAMIC_KEYS,
  'bootstrap.method': {
    to: 'bootstrap.made_by',
    read: (method) => (method === 'initdb' ? { value: 'initdb' } : { value: 'others', says: NO_METHOD }),
  },
  'bootstrap.initdb': {
    to: 'bootstrap.initdb',
    read: asOptions('initdb', [
      'pgdata',
      'nosync',
      'no-sync',
      'pwfile',
      'pwprompt',
      'username',
      'auth',
      'auth-host',
      'auth-local',
      'sync-only',
      'version',
    ]),
  },
  'bootstrap.post_bootstrap': { none: 'no script is run in a new cluster' },
  'bootstrap.post_init': { none: 'no script is run in a new cluster' },
  'bootstrap.pg_hba': { together: 'postgresql.pg_hba, where that is left out' },
  'bootstrap.users.*.password': { together: 'bootstrap.users' },
  'bootstrap.users.*.options': { together: 'bootstrap.users' },

  ...PATRONI_POSTGRESQL_KEYS,

  'watchdog.mode': { to: 'watchdog.mode', read: asWatchdogMode },
  'watchdog.device': { to: 'watchdog.device', read: asFilled },
  'watchdog.safety_margin': {
    none: 'is for a ttl such as 30 s; this agent’s is watchdog.safety_margin, a quarter of lease.fence_margin',
    silentIf: [5],
  },

  tags: { to: 'tags', read: asScalars },

  ttl: { none: DYNAMIC },
  loop_wait: { none: DYNAMIC },
  retry_timeout: { none: DYNAMIC },
  maximum_lag_on_failover: { none: DYNAMIC },
  synchronous_mode: { none: DYNAMIC },
  synchronous_mode_strict: { none: DYNAMIC },
  failsafe_mode: { none: DYNAMIC },
  standby_cluster: { none: DYNAMIC },
};
