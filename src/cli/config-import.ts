/** `matriarch config import`: the configuration of PgBouncer, pgpool-II or Patroni as matriarch.yaml, and what is different. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { describe, EXIT, MatriarchError } from '../base/index.ts';
import type { Config, Purpose } from '../config/index.ts';
import type { Imported, ImportStep, Origin, SourceFile } from '../import/index.ts';
import { translatePatroni } from './patroni-config.ts';
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
Files that it names (user list, host rules, %include) are read, from the current directory or beside it. Of Patroni it may
be a directory; variables PATRONI_* come first, as for Patroni itself.

Exit status: 0 the result can be used as it is, 1 something that it needs is not in the source, or refused in it.`;

export function importCommand(shell: Shell): Command {
  const command = new Command('import');
  return command
    .argument('<file>', 'pgbouncer.ini, pgpool.conf or patroni.yml')
    .description('write the matriarch.yaml that is equal to a pgbouncer.ini, pgpool.conf or patroni.yml')
    .addOption(
      command
        .createOption('--from <program>', 'what the file is of; else seen from its content')
        .choices(['pgbouncer', 'pgpool', 'patroni']),
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
  const origin = options.from ?? (await originOf(file));
  const { yaml, notes, userList, refusals } = await translate(shell, file, { ...options, from: origin });
  if (options.output === undefined) shell.out(yaml);
  else write(options.output, yaml);
  if (options.userList !== undefined && userList !== undefined) write(options.userList, userList);
  for (const note of notes) shell.err(`${formatNote(note)}\n`);
  const purpose: Purpose = origin === 'patroni' ? 'agent' : 'router';
  const checked = checkConfig(yaml, {}, purpose);
  const problems =
    checked.outcome === 'ok'
      ? await accessProblems(checked.config, purpose)
      : formatProblems(options.output ?? 'matriarch.yaml', checked.problems);
  for (const refusal of refusals) shell.err(`refused: ${formatNote(refusal)}\n`);
  if (problems !== undefined) shell.err(`${problems}\n`);
  if (problems !== undefined || refusals.length > 0) shell.setExit(EXIT.failed);
}

/** Why a router would not start with the certificates, users and host rules that stay where they are. */
async function accessProblems({ router }: Config, purpose: Purpose): Promise<string | undefined> {
  if (purpose !== 'router') return undefined;
  const { readAccess } = await import('../router/index.ts');
  try {
    readAccess(router);
  } catch (cause) {
    if (cause instanceof MatriarchError) return cause.message;
    throw cause;
  }
  return undefined;
}

/** A directory is Patroni's: the others' are files. */
async function originOf(file: string): Promise<Origin> {
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) return 'patroni';
  const { recognize } = await import('../import/index.ts');
  const origin = recognize(readSource(file).text);
  if (origin !== undefined) return origin;
  throw new MatriarchError(
    'import-unrecognized',
    `${file} is neither a pgbouncer.ini nor a pgpool.conf nor a patroni.yml`,
  );
}

async function translate(
  shell: Shell,
  file: string,
  { from: origin, ...options }: ImportOptions & { readonly from: Origin },
): Promise<Imported> {
  if (origin === 'patroni') {
    const wished = {
      ...(options.scope === undefined ? {} : { PATRONI_SCOPE: options.scope }),
      ...(options.name === undefined ? {} : { PATRONI_NAME: options.name }),
    };
    return await translatePatroni(file, { ...shell.env, ...wished }, options.datacenter);
  }
  const { importPgbouncer, importPgpool } = await import('../import/index.ts');
  const source = readSource(file);
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
