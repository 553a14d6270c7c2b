/** `matriarch auth`: the role and the function through which routers learn what a client's password must fit. */
import { Command } from 'commander';
import type { Shell } from './shell.ts';

interface InstallOptions {
  readonly print?: boolean;
  readonly url?: string;
  readonly role: string;
  readonly passwordFile?: string;
}

const PASSWORD_BYTES = 24;
const SALT_BYTES = 16;
const HELP = `
For servers without an agent of Matriarch: the agents make a role and a function like these by themselves.
The role is no superuser. It may call the function, which shows it SCRAM verifiers, and is in pg_read_all_stats,
by which it learns the timeline that a standby follows.

Examples:
  matriarch auth install --print | psql -h db1 -U postgres postgres
  matriarch auth install --url postgres://postgres@db1/postgres --password-file /etc/matriarch/lookup-password

Then, in matriarch.yaml:
  router: { auth_user: matriarch_router, auth_password_file: /etc/matriarch/lookup-password }`;

export function authCommand(shell: Shell): Command {
  const command = new Command('auth').description('prepare servers for routers that look up passwords');
  command
    .command('install')
    .description('make the role and the function through which routers look up verifiers')
    .option('--print', 'print the SQL, for a superuser to run in the database of auth_dbname')
    .option('--url <url>', 'run it there, as a superuser')
    .option('--role <name>', 'the role, as router.auth_user', 'matriarch_router')
    .option('--password-file <file>', 'its password; else a new one is made and told on standard error')
    .addHelpText('after', HELP)
    .action((options: InstallOptions) => install(shell, command, options));
  return command;
}

async function install(shell: Shell, command: Command, options: InstallOptions): Promise<void> {
  const { print, url, role } = options;
  if ((print === true) === (url !== undefined)) command.error('error: give either --print or --url');
  const { randomBytes } = await import('node:crypto');
  const { installLookup, lookupInstallSql } = await import('../postgres/index.ts');
  const { passwordFile } = options;
  const isNew = passwordFile === undefined;
  const password = isNew
    ? randomBytes(PASSWORD_BYTES).toString('base64url')
    : await readPassword(passwordFile);
  const wanted = { role, password, salt: randomBytes(SALT_BYTES) };
  if (url === undefined)
    shell.out(
      lookupInstallSql(wanted)
        .map((statement) => `${statement};\n`)
        .join(''),
    );
  else await installLookup(url, wanted);
  if (isNew) shell.err(`password of ${role}, for router.auth_password: ${password}\n`);
  if (url !== undefined) shell.out(`${role} can look up verifiers with matriarch.router_lookup\n`);
}

async function readPassword(file: string): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  const { describe, MatriarchError } = await import('../base/index.ts');
  try {
    return (await readFile(file, 'utf8')).replace(/\r?\n$/, '');
  } catch (cause) {
    throw new MatriarchError('config-unreadable', `cannot read ${file}: ${describe(cause)}`, { cause });
  }
}
