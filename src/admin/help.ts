/** What SHOW HELP says, as the detail of a notice: PgBouncer's form. */
import { SHOWN } from './command.ts';

const SHOWN_A_LINE = 6;

export const HELP_TITLE = 'Console usage';

export function helpText(): string {
  const shown = ['HELP', ...SHOWN.map((name) => name.toUpperCase())];
  const lines: string[] = [];
  for (let from = 0; from < shown.length; from += SHOWN_A_LINE) {
    lines.push(`SHOW ${shown.slice(from, from + SHOWN_A_LINE).join('|')}`);
  }
  return ['', ...lines, ...ORDERS].join('\n\t');
}

const ORDERS = [
  "SHOW ROUTE '<statement>' [USER <name>] [DATABASE <name>] [APPLICATION <name>]",
  'SET key = arg',
  'RELOAD',
  'PAUSE [<db>]',
  'RESUME [<db>]',
  'DISABLE <db>',
  'ENABLE <db>',
  'RECONNECT [<db>]',
  'KILL [<db>]',
  'KILL_CLIENT <client_id>',
  'SUSPEND',
  'SHUTDOWN',
  'SHUTDOWN WAIT_FOR_SERVERS|WAIT_FOR_CLIENTS',
  'WAIT_CLOSE [<db>]',
];
