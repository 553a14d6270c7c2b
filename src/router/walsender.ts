/** The start-up parameter `replication`: which walsender the client asks for, as PostgreSQL reads it. Pure. */

/** `logical`: bound to a database, for which host rules are those of that database. */
export type ReplicationKind = 'none' | 'physical' | 'logical' | 'invalid';

const YES = /^(?:t|tr|tru|true|y|ye|yes|on|1)$/i;
const NO = /^(?:f|fa|fal|fals|false|n|no|of|off|0)$/i;

export function replicationOf(value: string | undefined): ReplicationKind {
  if (value === undefined || NO.test(value)) return 'none';
  if (value === 'database') return 'logical';
  return YES.test(value) ? 'physical' : 'invalid';
}
