/**
 * The cluster-wide configuration, key by key in Patroni's words: which ones the agent obeys, and why others change
 * nothing here. What is ignored is said in the log when it is first seen, and by `matriarch edit-config`.
 */
import { isRecord } from '../base/index.ts';
import { isAgentsSetting } from '../postgres/index.ts';

const OBEYED: readonly string[] = [
  'pause',
  'maximum_lag_on_failover',
  'primary_start_timeout',
  'master_start_timeout',
  'primary_answer_timeout',
  'synchronous_mode',
  'synchronous_mode_strict',
  'synchronous_node_count',
  'slots',
  'permanent_slots',
  'permanent_replication_slots',
  'failsafe_mode',
  'postgresql',
];

const OF_THE_HOST = 'each host’s own file says it (section lease); here it is for members that run Patroni';
const ALWAYS = 'it is always on';

const IGNORED: Readonly<Record<string, string>> = {
  ttl: OF_THE_HOST,
  loop_wait: OF_THE_HOST,
  retry_timeout: OF_THE_HOST,
  check_timeline: ALWAYS,
  'postgresql.use_slots': ALWAYS,
  'postgresql.use_pg_rewind': ALWAYS,
  'postgresql.remove_data_directory_on_rewind_failure': ALWAYS,
  'postgresql.remove_data_directory_on_diverged_timelines': ALWAYS,
  standby_cluster: 'standby clusters are not made',
};
/** What every first configuration has, for Patroni's readers: not worth a word where it says what the host's file says. */
const USUAL: readonly string[] = ['ttl', 'loop_wait', 'retry_timeout'];

export interface IgnoredKey {
  readonly key: string;
  readonly because: string;
}

/** The keys of `config` that change nothing, each with the reason. */
export function ignoredKeys(config: Readonly<Record<string, unknown>>): readonly IgnoredKey[] {
  const { postgresql } = config;
  const inner = isRecord(postgresql) ? postgresql : {};
  const parameters = isRecord(inner['parameters']) ? inner['parameters'] : {};
  return [
    ...Object.keys(config)
      .filter((key) => !OBEYED.includes(key))
      .map((key) => ({ key, because: IGNORED[key] ?? UNKNOWN })),
    ...Object.keys(inner)
      .filter((key) => key !== 'parameters' && key !== 'pg_hba')
      .map((key) => ({ key: `postgresql.${key}`, because: IGNORED[`postgresql.${key}`] ?? UNKNOWN })),
    ...Object.keys(parameters)
      .filter(isAgentsSetting)
      .map((key) => ({ key: `postgresql.parameters.${key}`, because: 'the agent decides it' })),
  ];
}

const UNKNOWN = 'it has no meaning here';

/** Those worth a line in the log. */
export function surprisingKeys(config: Readonly<Record<string, unknown>>): readonly IgnoredKey[] {
  return ignoredKeys(config).filter(({ key }) => !USUAL.includes(key));
}
