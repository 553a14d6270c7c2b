/** `matriarch agent`: runs the HA agent of a database host until it is told to stop. */
import { Command } from 'commander';
import { assert } from '../base/index.ts';
import { type ConfigFileOptions, readConfig, withConfigOption } from './config-file.ts';
import { startService } from './service.ts';
import type { Shell } from './shell.ts';

export function agentCommand(shell: Shell): Command {
  const command = new Command('agent')
    .description('run the agent of a database host: it makes, watches, promotes and rejoins PostgreSQL')
    .addHelpText(
      'after',
      '\nRuns in the foreground until SIGTERM or SIGINT, then stops in order; a second signal ends it at once.',
    )
    .action(async (options: ConfigFileOptions & { readonly debug?: boolean }) => {
      const config = await readConfig(shell, options, 'agent');
      const service = await startService(shell, { config, role: 'agent', isDebug: options.debug === true });
      const { startAgent } = await import('../agent/index.ts');
      const { dcs } = service.parts;
      assert(dcs !== undefined, 'a file that was read for an agent has the section etcd');
      const readAgain = async () => await readConfig(shell, options, 'agent');
      await service.run(() => startAgent({ ...service.parts, dcs, readAgain, onReload: shell.onHangUp }));
    });
  return withConfigOption(command);
}
