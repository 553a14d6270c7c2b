/** psql, as users have it: libpq's own idea of TLS, certificates and channel binding. */
import { type Finished, runProgram } from './program.ts';

const TIMEOUT_MS = 20_000;

/** One statement; `conninfo` in libpq's words. */
export async function psql(conninfo: string, sql: string, password = 'app'): Promise<Finished> {
  return await runProgram('psql', ['-X', '-w', '-A', '-t', '-q', '-d', conninfo, '-c', sql], {
    env: { PGPASSWORD: password, PGCONNECT_TIMEOUT: '10' },
    timeoutMs: TIMEOUT_MS,
  });
}
