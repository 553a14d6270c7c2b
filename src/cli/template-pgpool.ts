/** `matriarch template pgpool-follow`: makes pgpool-II as its file says, for the `reload_cmd` of that file. */
import { Command, Option } from 'commander';
import { silentLog } from '../base/index.ts';
import { parsePeriod } from './options.ts';
import type { Shell } from './shell.ts';

interface FollowCommandOptions {
  readonly pcpHost: string;
  readonly pcpPort: string;
  readonly pcpUser: string;
  readonly pcpPassfile?: string;
  readonly restartCmd?: string;
  readonly timeout: number;
}

export function pgpoolFollowCommand(shell: Shell): Command {
  return new Command('pgpool-follow')
    .description('make a running pgpool-II as its file of servers says: reload, detach, attach')
    .argument('<file>', 'has a line "# slot N NAME HOST PORT up|down [primary]" for each server')
    .option('--pcp-host <host>', 'where pgpool-II listens for PCP', 'localhost')
    .option('--pcp-port <port>', 'its port', '9898')
    .option('--pcp-user <name>', 'user of pcp.conf', 'matriarch')
    .option('--pcp-passfile <file>', 'has the password, as .pcppass has; else $PCPPASSFILE, else ~/.pcppass')
    .option('--restart-cmd <command>', 'run when a server has another address, which needs a restart')
    .addOption(
      new Option('--timeout <duration>', 'longest wait until it is so')
        .argParser(parsePeriod)
        .default(20_000, '20s'),
    )
    .addHelpText('after', '\nExit status: 0 it is as the file says, 1 it is not, and why is told.')
    .action(async (file: string, options: FollowCommandOptions) => {
      const { followPgpool } = await import('../pgpool/index.ts');
      await followPgpool({
        file,
        pcp: {
          host: options.pcpHost,
          port: Number(options.pcpPort),
          user: options.pcpUser,
          passfile: options.pcpPassfile,
        },
        restartCommand: options.restartCmd,
        timeoutMs: options.timeout,
        environment: shell.env,
        clock: shell.clock,
        log: silentLog,
      });
    });
}
