/** `matriarch agent`: runs the HA agent of a database host until it is told to stop. */
import { Command } from 'commander';
import { assert } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import { type ConfigFileOptions, readConfig, withConfigOption } from './config-file.ts';
import { readPatroniConfig } from './patroni-config.ts';
import { startService } from './service.ts';
import type { Shell } from './shell.ts';

interface AgentOptions extends ConfigFileOptions {
  readonly patroniConfig?: string;
  readonly debug?: boolean;
}

const HELP = `
Runs in the foreground until SIGTERM or SIGINT, then stops in order; a second signal ends it at once.
With --patroni-config it says on standard error, line by line, what of the file has no effect, another meaning or is
unknown, and does not start where the file asks for what nobody may do without.`;

export function agentCommand(shell: Shell): Command {
  const command = new Command('agent')
    .description('run the agent of a database host: it makes, watches, promotes and rejoins PostgreSQL')
    .option(
      '--patroni-config <file>',
      'run from this file (or directory) of Patroni and variables PATRONI_*, in place of matriarch.yaml',
    )
    .addHelpText('after', HELP)
    .action(async (options: AgentOptions) => {
      const onReload = shell.hangUps();
      const config = await configOf(shell, options);
      const service = await startService(shell, { config, role: 'agent', isDebug: options.debug === true });
      const { startAgent } = await import('../agent/index.ts');
      const { dcs } = service.parts;
      assert(dcs !== undefined, 'a file that was read for an agent has the section etcd');
      const readAgain = async () => await configOf(shell, options);
      await service.run(() => startAgent({ ...service.parts, dcs, readAgain, onReload }));
    });
  return withConfigOption(command);
}

async function configOf(shell: Shell, options: AgentOptions): Promise<Config> {
  if (options.patroniConfig === undefined) return await readConfig(shell, options, 'agent');
  const { config, notes } = await readPatroniConfig(options.patroniConfig, shell.env);
  for (const note of notes) shell.err(`${note}\n`);
  return config;
}
