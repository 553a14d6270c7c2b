/** `matriarch config`: check a file, and print what the schema knows: a sample, and JSON Schema for editors. */
import { Command } from 'commander';
import { type ConfigFileOptions, findConfigFile, readConfig, withConfigOption } from './config-file.ts';
import { importCommand } from './config-import.ts';
import type { Shell } from './shell.ts';

interface CheckOptions extends ConfigFileOptions {
  readonly for: 'agent' | 'router' | 'any';
}

export function configCommand(shell: Shell): Command {
  const command = new Command('config').description(
    'check matriarch.yaml, write one from another pooler’s file, or print a sample or its JSON Schema',
  );
  command.addCommand(checkCommand(shell));
  command.addCommand(importCommand(shell));
  command
    .command('sample')
    .description('print a commented matriarch.yaml to start from')
    .action(async () => {
      const { renderSample } = await import('../config/index.ts');
      shell.out(renderSample());
    });
  command
    .command('schema')
    .description('print the JSON Schema of matriarch.yaml, for editors')
    .action(async () => {
      const { configJsonSchema } = await import('../config/index.ts');
      shell.out(`${JSON.stringify(configJsonSchema(), null, 2)}\n`);
    });
  return command;
}

function checkCommand(shell: Shell): Command {
  const command = new Command('check')
    .argument('[file]', 'the file, instead of --config')
    .description('report everything that is wrong with matriarch.yaml, each with file, line and column')
    .addOption(
      new Command()
        .createOption('--for <role>', 'also ask for what this role needs')
        .choices(['agent', 'router', 'any'])
        .default('any'),
    )
    .addHelpText('after', '\nExit status: 0 nothing is wrong, 2 something is.')
    .action((file: string | undefined, options: CheckOptions) => check(shell, file, options));
  return withConfigOption(command);
}

async function check(shell: Shell, file: string | undefined, options: CheckOptions): Promise<void> {
  const chosen = { config: file ?? findConfigFile(shell, options) };
  const { scope, name, datacenter, router } = await readConfig(shell, chosen, options.for);
  if (options.for === 'router') {
    const { readAccess } = await import('../router/index.ts');
    // Certificates, users and host rules: what a router would refuse to start with.
    readAccess(router);
  }
  const origin = (shell.env['LOCAL_DATACENTER'] ?? '') === '' ? '' : ' (from LOCAL_DATACENTER)';
  shell.out(
    `${chosen.config}: nothing is wrong; cluster ${scope}, host ${name}, datacenter ${datacenter}${origin}\n`,
  );
}
