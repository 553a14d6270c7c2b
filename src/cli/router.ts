/** `matriarch router`: runs the query router of an application host until it is told to stop. */
import { Command } from 'commander';
import { type ConfigFileOptions, readConfig, withConfigOption } from './config-file.ts';
import { startService } from './service.ts';
import type { Shell } from './shell.ts';

export function routerCommand(shell: Shell): Command {
  const command = new Command('router')
    .description('run the router of an application host: writes to the primary, reads spread by weight')
    .addHelpText(
      'after',
      '\nRuns in the foreground until SIGTERM or SIGINT, then stops in order; a second signal ends it at once.',
    )
    .action(async (options: ConfigFileOptions & { readonly debug?: boolean }) => {
      const config = await readConfig(shell, options, 'router');
      const service = await startService(shell, { config, role: 'router', isDebug: options.debug === true });
      const { startRouter } = await import('../router/index.ts');
      await service.run(() => startRouter(service.parts));
    });
  return withConfigOption(command);
}
