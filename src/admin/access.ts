/** Who may use the admin console, and by which names of a database it is reached. */

/** `stats`: only SHOW. */
export type AdminAccess = 'admin' | 'stats';

/** Ours, and PgBouncer's for tools that know no other. */
const ADMIN_DATABASES: readonly string[] = ['matriarch', 'pgbouncer'];

/** Whether a client that asks for this database wants the console. */
export function isAdminDatabase(database: string): boolean {
  return ADMIN_DATABASES.includes(database);
}

/** What `user` may do; undefined: it is not let in. Names are roles, compared exactly. */
export function adminAccess(
  user: string,
  lists: { readonly admin_users: readonly string[]; readonly stats_users: readonly string[] },
): AdminAccess | undefined {
  if (lists.admin_users.includes(user)) return 'admin';
  return lists.stats_users.includes(user) ? 'stats' : undefined;
}
