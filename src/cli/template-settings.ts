/** confd's own settings beside the options of `matriarch template`: an option that is given comes first. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { describe, MatriarchError } from '../base/index.ts';

/** Where confd looks; a file that is not there is no file. */
const USUAL_FILE = '/etc/confd/confd.toml';

/** Takes what the file says for options that were not given; returns the keys of the file that do nothing. */
export async function takeConfdFile(command: Command, named: string | undefined): Promise<readonly string[]> {
  const path = named ?? USUAL_FILE;
  const text = await contentOf(path, named !== undefined);
  if (text === undefined) return [];
  const { readConfdFile } = await import('../template/index.ts');
  const file = readConfdFile(text);
  if (file.outcome === 'problems') {
    const lines = file.problems.map(
      ({ line, column, key, message }) =>
        `${path}:${line}:${column}: ${key === '' ? '' : `${key}: `}${message}`,
    );
    throw new MatriarchError('config-invalid', lines.join('\n'));
  }
  for (const [option, value] of Object.entries(file.settings)) {
    const source = command.getOptionValueSource(option);
    if (source === undefined || source === 'default')
      command.setOptionValueWithSource(option, value, 'config');
  }
  return file.idle;
}

async function contentOf(path: string, isNamed: boolean): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const isAbsent = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    if (isAbsent && !isNamed) return undefined;
    throw new MatriarchError('config-unreadable', `${path}: ${describe(cause)}`, { cause });
  }
}

/** confd's flags have one dash: `-onetime` is `--onetime`. */
export function confdArguments(argv: readonly string[]): readonly string[] {
  if (argv[0] !== 'template') return argv;
  return argv.map((argument) => (/^-[a-z][a-z-]+(=|$)/.test(argument) ? `-${argument}` : argument));
}
