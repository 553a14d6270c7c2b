/**
 * A changed configuration for a router that runs: what differs, and whether it can be taken over without a restart. It
 * is taken over whole or refused whole, so that what runs is always what one file says. Pure.
 */
import type { Config } from '../config/index.ts';

/** Keys by their path, e.g. `router.weights`. */
export type ReloadPlan =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'apply'; readonly changed: readonly string[] }
  /** Some of them are looked at only when the router starts. */
  | { readonly kind: 'refused'; readonly needRestart: readonly string[] };

/** Where the router listens, and which cluster it is of: all else follows the file. */
export const FIXED_KEYS: ReadonlySet<string> = new Set([
  'scope',
  'namespace',
  'name',
  'etcd',
  'nodes',
  'lease',
  'log',
  'router.listen',
  'router.http_listen',
  'router.unix_socket_dir',
  'router.unix_socket_mode',
  'router.pid_file',
  'router.tcp_keepalive',
  'router.tcp_keepidle',
  'router.node_check_period',
  'router.node_check_timeout',
  'router.auth_user',
  'router.auth_password',
  'router.auth_dbname',
]);
/** Sections of other services. */
const OF_OTHERS: ReadonlySet<string> = new Set(['restapi', 'ctl', 'postgresql', 'bootstrap', 'tags']);

export function planReload(present: Config, next: Config): ReloadPlan {
  const changed = [
    ...changedKeys(present, next, '').filter((key) => key !== 'router' && !OF_OTHERS.has(key)),
    ...changedKeys(present.router, next.router, 'router.'),
  ];
  const needRestart = changed.filter((key) => FIXED_KEYS.has(key));
  if (needRestart.length > 0) return { kind: 'refused', needRestart };
  return changed.length === 0 ? { kind: 'unchanged' } : { kind: 'apply', changed };
}

function changedKeys(present: object, next: object, prefix: string): string[] {
  const [before, after] = [new Map(Object.entries(present)), new Map(Object.entries(next))];
  const keys = new Set([...before.keys(), ...after.keys()]);
  return [...keys]
    .filter((key) => JSON.stringify(before.get(key)) !== JSON.stringify(after.get(key)))
    .map((key) => `${prefix}${key}`);
}
