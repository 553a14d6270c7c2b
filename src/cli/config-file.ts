/** Which matriarch.yaml a command uses, and what happens when it is wrong. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { assert, MatriarchError } from '../base/index.ts';
import type { Config, EtcdConfig, Purpose } from '../config/index.ts';
import type { Shell } from './shell.ts';

const PLACES = ['matriarch.yaml', '/etc/matriarch/matriarch.yaml'] as const;

export interface ConfigFileOptions {
  readonly config?: string;
}

/** Gives `command` the option `--config` (and `--debug`, which main.ts reads). */
export function withConfigOption(command: Command): Command {
  return command
    .option(
      '-c, --config <file>',
      'matriarch.yaml to use; else $MATRIARCH_CONFIG, ./matriarch.yaml, /etc/matriarch/matriarch.yaml',
    )
    .option('--debug', 'show the stack of an error, and debug logging');
}

/** The path of the file to use; throws `config-not-found` when there is none at any of the places. */
export function findConfigFile(shell: Shell, options: ConfigFileOptions): string {
  const named = options.config ?? (shell.env['MATRIARCH_CONFIG'] || undefined);
  const found = named ?? PLACES.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new MatriarchError(
    'config-not-found',
    `no configuration file: neither ./${PLACES.join(' nor ')} exists`,
  );
}

/** The configuration of this host; throws `config-invalid` with every problem in its message. */
export async function readConfig(
  shell: Shell,
  options: ConfigFileOptions,
  purpose: Purpose,
): Promise<Config> {
  const { formatProblems, loadConfig } = await import('../config/index.ts');
  const file = findConfigFile(shell, options);
  const loaded = loadConfig(file, shell.env, purpose);
  if (loaded.outcome === 'ok') return loaded.config;
  const count = loaded.problems.length === 1 ? 'a problem' : `${loaded.problems.length} problems`;
  throw new MatriarchError(
    'config-invalid',
    `${file} has ${count}:\n${formatProblems(file, loaded.problems)}`,
  );
}

/** The section `etcd` of a file that was read for a purpose that needs it. */
export function etcdOf({ etcd }: Config): EtcdConfig {
  assert(etcd !== undefined, 'a file that was read for an agent or a command has the section etcd');
  return etcd;
}
