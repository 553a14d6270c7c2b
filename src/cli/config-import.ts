/** `matriarch config import`: the configuration of PgBouncer or pgpool-II as matriarch.yaml, and what is different. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { describe, EXIT, MatriarchError } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import type { Imported, ImportStep, Origin, SourceFile } from '../import/index.ts';
import type { Shell } from './shell.ts';

interface ImportOptions {
  readonly from?: Origin;
  readonly output?: string;
  readonly userList?: string;
  readonly scope?: string;
  readonly name?: string;
  readonly datacenter?: string;
}

/** It may hold a password. */
const PRIVATE = 0o600;

const HELP = `
Writes the equal matriarch.yaml, and on standard error, line by line, what has no counterpart or another meaning.
Files that it names (user list, host rules, %include) are read, from the current directory or beside it.

Exit status: 0 the result can be used as it is, 1 something that it needs is not in the source, or refused in it.`;

export function importCommand(shell: Shell): Command {
  const command = new Command('import');
  return command
    .argument('<file>', 'pgbouncer.ini or pgpool.conf')
    .description('write the matriarch.yaml that is equal to a pgbouncer.ini or pgpool.conf')
    .addOption(
      command
        .createOption('--from <pooler>', 'what the file is of; else seen from its content')
        .choices(['pgbouncer', 'pgpool']),
    )
    .option('-o, --output <file>', 'where to write it; else to standard output')
    .option('--user-list <file>', 'where to write the passwords of a pool_passwd, for router.auth_file')
    .option('--scope <name>', 'name of the cluster')
    .option('--name <name>', 'name of this host')
    .option('--datacenter <name>', 'datacenter of this host')
    .addHelpText('after', HELP)
    .action((file: string, options: ImportOptions) => run(shell, file, options));
}

async function run(shell: Shell, file: string, options: ImportOptions): Promise<void> {
  const [{ formatNote }, { checkConfig, formatProblems }] = await Promise.all([
    import('../import/index.ts'),
    import('../config/index.ts'),
  ]);
  const { yaml, notes, userList } = await translate(file, options);
  if (options.output === undefined) shell.out(yaml);
  else write(options.output, yaml);
  if (options.userList !== undefined && userList !== undefined) write(options.userList, userList);
  for (const note of notes) shell.err(`${formatNote(note)}\n`);
  const checked = checkConfig(yaml, {}, 'router');
  const problems =
    checked.outcome === 'ok'
      ? await accessProblems(checked.config)
      : formatProblems(options.output ?? 'matriarch.yaml', checked.problems);
  if (problems === undefined) return;
  shell.err(`${problems}\n`);
  shell.setExit(EXIT.failed);
}

/** Why a router would not start with the certificates, users and host rules that stay where they are. */
async function accessProblems({ router }: Config): Promise<string | undefined> {
  const { readAccess } = await import('../router/index.ts');
  try {
    readAccess(router);
  } catch (cause) {
    if (cause instanceof MatriarchError) return cause.message;
    throw cause;
  }
  return undefined;
}

async function translate(file: string, options: ImportOptions): Promise<Imported> {
  const { importPgbouncer, importPgpool, recognize } = await import('../import/index.ts');
  const source = readSource(file);
  const origin = options.from ?? recognize(source.text);
  if (origin === undefined) {
    throw new MatriarchError('import-unrecognized', `${file} is neither a pgbouncer.ini nor a pgpool.conf`);
  }
  const { scope, name, datacenter, userList } = options;
  const wishes = {
    scope,
    name,
    datacenter,
    userList: userList === undefined ? undefined : resolve(userList),
  };
  const files = new Map<string, SourceFile | undefined>();
  const step = (): ImportStep =>
    origin === 'pgbouncer' ? importPgbouncer(source, files, wishes) : importPgpool(source, files, wishes);
  // Each round gives all that was asked for, so it ends with the last file that another one names.
  for (;;) {
    const next = step();
    if (next.kind === 'done') return next.imported;
    for (const wanted of next.files) files.set(wanted, findFile(wanted, dirname(file)));
  }
}

function readSource(file: string): SourceFile {
  try {
    return { path: file, text: readFileSync(file, 'utf8') };
  } catch (cause) {
    throw new MatriarchError('config-unreadable', `cannot read ${file}: ${describe(cause)}`, { cause });
  }
}

/** By its name as it is, or else beside the file that is imported. */
function findFile(name: string, folder: string): SourceFile | undefined {
  for (const path of new Set([resolve(name), resolve(join(folder, name))])) {
    try {
      return { path, text: readFileSync(path, 'utf8') };
    } catch {
      // It is looked for at the next place; where it is at none, the import says so.
    }
  }
  return undefined;
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text, { mode: PRIVATE });
  } catch (cause) {
    throw new MatriarchError('config-unreadable', `cannot write ${file}: ${describe(cause)}`, { cause });
  }
}
