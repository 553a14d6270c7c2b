/** Puts the parts together: one `PostgresControl` over one data directory. */
import type { PostgresControl, PostgresOptions } from './types.ts';

/** Checks the binaries and the user that PostgreSQL runs as; touches nothing else. Throws `postgres-binaries-missing`. */
export async function openPostgres(_options: PostgresOptions): Promise<PostgresControl> {
  return Promise.reject(new Error('being built'));
}
