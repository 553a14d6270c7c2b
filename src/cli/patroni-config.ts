/** `--patroni-config`: the configuration of an agent from Patroni's own file, or directory of files, and its variables. */
import { accessSync, constants, readdirSync, readFileSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, MatriarchError } from '../base/index.ts';
import type { Config, Problem } from '../config/index.ts';
import type { Imported, SourceFile } from '../import/index.ts';
import type { Shell } from './shell.ts';

type Env = Shell['env'];

export interface PatroniConfig {
  readonly config: Config;
  /** What a person should know, line by line. */
  readonly notes: readonly string[];
}

/** Throws `config-unreadable`, or `config-invalid` with everything that is wrong or refused. */
export async function readPatroniConfig(path: string, env: Env): Promise<PatroniConfig> {
  const [{ formatNote }, { checkConfig }] = await Promise.all([
    import('../import/index.ts'),
    import('../config/index.ts'),
  ]);
  const imported = await translatePatroni(path, env, env['LOCAL_DATACENTER']);
  const checked = checkConfig(imported.yaml, env, 'agent');
  const problems = [
    ...imported.refusals.map(formatNote),
    ...(checked.outcome === 'ok'
      ? []
      : checked.problems.map((problem) => inItsPlace(problem, path, imported))),
  ];
  if (checked.outcome === 'ok' && problems.length === 0)
    return { config: checked.config, notes: imported.notes.map(formatNote) };
  throw new MatriarchError('config-invalid', `${path} cannot be run from as it is:\n${problems.join('\n')}`);
}

/** As it is read by Patroni: a file, or all of a directory; and the variables, but for the one that is a whole file. */
export async function translatePatroni(
  path: string,
  env: Env,
  datacenter: string | undefined,
): Promise<Imported> {
  const { importPatroni } = await import('../import/index.ts');
  const binDir = folderOf('postgres', env['PATH'] ?? '');
  return importPatroni(sourcesAt(path), env, { datacenter: datacenter || undefined, binDir });
}

function sourcesAt(path: string): readonly SourceFile[] {
  try {
    if (!statSync(path).isDirectory()) return [{ path, text: readFileSync(path, 'utf8') }];
    const names = readdirSync(path).filter(
      (name) => /\.ya?ml$/.test(name) && statSync(join(path, name)).isFile(),
    );
    if (names.length === 0) throw new Error('it has no file *.yml or *.yaml');
    return names
      .sort()
      .map((name) => ({ path: join(path, name), text: readFileSync(join(path, name), 'utf8') }));
  } catch (cause) {
    throw new MatriarchError('config-unreadable', `cannot read ${path}: ${describe(cause)}`, { cause });
  }
}

/** A problem of the result, told of the key in the source that it comes from. */
function inItsPlace({ key, message }: Problem, path: string, { origins }: Imported): string {
  const steps = key.split('.');
  for (let length = steps.length; length > 0; length -= 1) {
    const origin = origins.get(steps.slice(0, length).join('.'));
    if (origin !== undefined) return `${origin.file}:${origin.line}: ${origin.key}: ${message}`;
  }
  return `${path}: ${key}: ${message}`;
}

function folderOf(program: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .find((folder) => folder.startsWith('/') && isExecutable(join(folder, program)));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    // It is looked for in the next folder.
    return false;
  }
}
