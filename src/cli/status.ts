/** `matriarch status`: the members of the cluster, once or again and again. */
import { Command } from 'commander';
import { describe, EXIT, MatriarchError, pause } from '../base/index.ts';
import { type ConfigFileOptions, withConfigOption } from './config-file.ts';
import { parsePeriod } from './options.ts';
import type { Shell } from './shell.ts';

interface StatusOptions extends ConfigFileOptions {
  readonly debug?: boolean;
  readonly json?: boolean;
  readonly watch?: number | true;
}

const WATCH_MS = 2000;
const CLEAR_SCREEN = '\u001b[2J\u001b[H';

export function statusCommand(shell: Shell): Command {
  const command = new Command('status')
    .alias('list')
    .description('show the members of the cluster: role, state, timeline, lag, datacenter')
    .option('--json', 'print JSON; with --watch one document a line')
    .option('-w, --watch [period]', 'repeat until interrupted, every 2s or the period given', parsePeriod)
    .addHelpText(
      'after',
      '\nExit status: 0 there is a running primary, 1 there is none, 3 etcd does not answer.',
    )
    .action((options: StatusOptions) => run(shell, options));
  return withConfigOption(command);
}

async function run(shell: Shell, options: StatusOptions): Promise<void> {
  const { readView, withCluster } = await import('./cluster.ts');
  const { renderStatus, statusOf } = await import('./status-view.ts');
  await withCluster(shell, options, async (cluster) => {
    const show = async (): Promise<string> => {
      const status = statusOf(cluster.config.scope, await readView(cluster));
      shell.setExit(status.primary === null ? EXIT.failed : EXIT.ok);
      return options.json === true ? `${JSON.stringify(status)}\n` : renderStatus(status);
    };
    if (options.watch === undefined) return shell.out(await show());
    await repeat(shell, options, show);
  });
}

/** A store that is away for a while is told in place of the table; watching goes on. */
async function repeat(shell: Shell, options: StatusOptions, show: () => Promise<string>): Promise<void> {
  const periodMs = typeof options.watch === 'number' ? options.watch : WATCH_MS;
  const clear = shell.isTerminal && options.json !== true ? CLEAR_SCREEN : '';
  while (!shell.signal.aborted) {
    const text = await show().catch((cause: unknown) => {
      if (cause instanceof MatriarchError) return cause;
      throw cause;
    });
    if (typeof text === 'string') shell.out(clear + text);
    else shell.err(`${clear}${describe(text)}; trying again\n`);
    await pause(periodMs, shell.signal);
  }
  shell.setExit(EXIT.ok);
}
