/** `matriarch history`: when leadership changed, by the timelines that ended. */
import { Command } from 'commander';
import { type Column, renderTable } from '../base/index.ts';
import { withConfigOption } from './config-file.ts';
import type { OperatorOptions } from './members.ts';
import type { Shell } from './shell.ts';

const COLUMNS: readonly Column[] = [
  { title: 'TL', align: 'right' },
  { title: 'Ended at' },
  { title: 'Reason' },
  { title: 'Time' },
  { title: 'New leader' },
];

export function historyCommand(shell: Shell): Command {
  const command = new Command('history')
    .description('show which timelines have ended, when, and who led next')
    .option('--json', 'as JSON')
    .action(async (options: OperatorOptions & { readonly json?: boolean }) => {
      const { readView, withCluster } = await import('./cluster.ts');
      await withCluster(shell, options, async (cluster) => {
        const { history } = await readView(cluster);
        if (options.json === true) {
          shell.out(`${JSON.stringify(history)}\n`);
          return;
        }
        const rows = history.map(({ timeline, lsn, reason, at = '', newLeader = '' }) => [
          String(timeline),
          lsnText(lsn),
          reason,
          at,
          newLeader,
        ]);
        shell.out(renderTable(COLUMNS, rows, `History: ${cluster.config.scope}`));
      });
    });
  return withConfigOption(command);
}

/** As PostgreSQL writes a position: `0/3000148`. */
export function lsnText(lsn: number): string {
  const low = lsn % 2 ** 32;
  return `${Math.floor(lsn / 2 ** 32).toString(16)}/${low.toString(16)}`.toUpperCase();
}
