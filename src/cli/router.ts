/** `matriarch router`: runs the query router of an application host until it is told to stop. */
import { Command } from 'commander';
import { describe } from '../base/index.ts';
import type { ConfigSource } from '../router/index.ts';
import { type ConfigFileOptions, findConfigFile, readConfig, withConfigOption } from './config-file.ts';
import type { OnRequest } from './requests.ts';
import { startService } from './service.ts';
import type { Shell } from './shell.ts';

export function routerCommand(shell: Shell): Command {
  const command = new Command('router')
    .description('run the router of an application host: writes to the primary, reads spread by weight')
    .addHelpText(
      'after',
      `
Runs in the foreground until SIGTERM or SIGINT, then stops in order; a second signal ends it at once.
SIGHUP, or a change of its file, makes it read the file again: it takes over all of it, or refuses it with the reasons in
its log and runs on as before.
SIGUSR2 starts the same command again, which takes over the sockets: no connection is refused. The old process stays until
its clients are gone, or for router.drain_timeout. If the new one does not come up, nothing changes; the log says why.`,
    )
    .action(async (options: Options) => {
      try {
        await runRouter(shell, options);
      } catch (cause) {
        await shell.predecessor?.send({ kind: 'failed', because: describe(cause) });
        throw cause;
      }
    });
  return withConfigOption(command);
}

type Options = ConfigFileOptions & { readonly debug?: boolean };

async function runRouter(shell: Shell, options: Options): Promise<void> {
  const { predecessor } = shell;
  const reloads = shell.hangUps();
  const takeOvers = shell.takeOvers();
  const config = await readConfig(shell, options, 'router');
  const service = await startService(shell, { config, role: 'router', isDebug: options.debug === true });
  const { startRouter } = await import('../router/index.ts');
  const source = configSource(shell, findConfigFile(shell, options), reloads);
  const takeOver = { onRequest: takeOvers, start: shell.startSuccessor };
  await service.run(() => startRouter({ ...service.parts, source, takeOver, predecessor }));
}

/** The file at `path`, which is read again at SIGHUP and when it has changed. */
function configSource(shell: Shell, path: string, onRequest: OnRequest): ConfigSource {
  return {
    file: path,
    read: async () => await readConfig(shell, { config: path }, 'router'),
    onRequest,
  };
}
