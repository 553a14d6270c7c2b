/** `matriarch lab psql HOST`: a terminal for psql, connected as the lab's documented accounts. */
import { spawn } from 'node:child_process';
import { MatriarchError } from '../base/index.ts';
import { ACCOUNTS, type Host } from '../lab/index.ts';

/** Runs psql until it ends; returns its exit status. */
export async function runPsql(
  host: Host,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const { application, superuser } = ACCOUNTS;
  const isApp = host.kind === 'app';
  const address = isApp ? host.router : host.postgres;
  const child = spawn('psql', [...args], {
    stdio: 'inherit',
    env: {
      ...env,
      PGHOST: address.host,
      PGPORT: String(address.port),
      PGUSER: isApp ? application.username : superuser.username,
      PGPASSWORD: isApp ? application.password : superuser.password,
      PGDATABASE: isApp ? application.database : 'postgres',
    },
  });
  return await new Promise<number>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(new MatriarchError('lab-tool-missing', `cannot start psql: ${cause.message}`, { cause })),
    );
    child.once('close', (code) => resolve(code ?? 1));
  });
}
