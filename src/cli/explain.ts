/** `matriarch explain`: where the router of this host would send a statement, and why. Asked of the running router. */
import { Command } from 'commander';
import { describe, EXIT, MatriarchError } from '../base/index.ts';
import { type ConfigFileOptions, readConfig, withConfigOption } from './config-file.ts';
import type { Shell } from './shell.ts';

interface ExplainOptions extends ConfigFileOptions {
  readonly database?: string;
  readonly user?: string;
  readonly application?: string;
  readonly router?: string;
  readonly json?: boolean;
}

const TIMEOUT_MS = 5000;
const HELP = `
Nothing is run: the router tells what it would do with the statement if a new session sent it now.

Examples:
  matriarch explain 'SELECT * FROM orders'
  matriarch explain --user report --database shop '/* matriarch: replica */ SELECT 1'

Exit status: 0 there is a node for it, 1 there is none now, 3 the router does not answer.`;

export function explainCommand(shell: Shell): Command {
  const command = new Command('explain')
    .description('show where the router of this host would send a statement, and why')
    .argument('<sql>', 'the statement, or several in one text')
    .option('-d, --database <name>', 'as if sent to it; else $PGDATABASE, else the name of the user')
    .option('-u, --user <name>', 'as if sent by it; else $PGUSER, else postgres')
    .option('-a, --application <name>', 'as if its application_name were this')
    .option('--router <host:port>', 'the router to ask, at its http_listen; else that of matriarch.yaml')
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action((sql: string, options: ExplainOptions) => run(shell, sql, options));
  return withConfigOption(command);
}

async function run(shell: Shell, sql: string, options: ExplainOptions): Promise<void> {
  const { renderRoute, routeSchema } = await import('./explain-view.ts');
  const user = options.user ?? (shell.env['PGUSER'] || 'postgres');
  const database = options.database ?? (shell.env['PGDATABASE'] || user);
  const question = { sql, user, database, application_name: options.application ?? '' };
  const answer = await ask(options.router ?? (await routerOf(shell, options)), question);
  const route = routeSchema.parse(answer);
  if (route.node === null && route.node_because !== ANSWERED) shell.setExit(EXIT.failed);
  shell.out(options.json === true ? `${JSON.stringify(answer)}\n` : renderRoute(route));
}

/** The router itself is where it goes. */
const ANSWERED = 'answered-by-router';

async function routerOf(shell: Shell, options: ConfigFileOptions): Promise<string> {
  const { formatAddress } = await import('../base/index.ts');
  const { http_listen } = (await readConfig(shell, options, 'router')).router;
  const host = EVERYWHERE.get(http_listen.host) ?? http_listen.host;
  return formatAddress({ ...http_listen, host });
}

/** Addresses to listen at, with those where that is reached from here. */
const EVERYWHERE: ReadonlyMap<string, string> = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
]);

async function ask(router: string, question: object): Promise<unknown> {
  try {
    const answer = await fetch(`http://${router}/explain`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(question),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (answer.ok) return await answer.json();
    throw new Error(`it answers ${answer.status}: ${await answer.text()}`);
  } catch (cause) {
    // `fetch` hides what happened behind a failure of its own.
    const reason = cause instanceof Error && cause.cause !== undefined ? cause.cause : cause;
    const message = `the router at ${router} does not explain: ${describe(reason)}`;
    throw new MatriarchError('router-unreachable', message, { cause: reason });
  }
}
