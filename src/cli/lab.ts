/** `matriarch lab …`: the three-datacenter cluster on this machine, for trying things and for breaking them. */
import { once } from 'node:events';
import { homedir, userInfo } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { MatriarchError } from '../base/index.ts';
import type { HaKind, LabOptions, RouterKind } from '../lab/index.ts';
import type { Shell } from './shell.ts';

interface DataOption {
  readonly data?: string;
}

interface UpOption extends DataOption {
  readonly baseOctet: number;
}

interface KindOptions {
  readonly router: RouterKind;
  readonly ha: HaKind;
}

interface DemoOption extends UpOption {
  readonly json?: boolean;
}

const COMMAND = fileURLToPath(new URL('../../../bin/matriarch', import.meta.url));
const DATA_HELP = 'data folder; else $MATRIARCH_LAB, else one of your own (see `matriarch lab --help`)';
/** With it the datacenters are 127.251 to 127.253. */
const OCTET_MAX = 250;
const OCTET_HELP = 'datacenters are 127.<N+1>.0.x to 127.<N+3>.0.x';

export function labCommand(shell: Shell): Command {
  const lab = new Command('lab').description(
    'run three datacenters on this machine: real PostgreSQL, real etcd, and faults',
  );
  lab.addHelpText('after', LAB_HELP);
  withData(lab.command('up'))
    .description('start the lab, from nothing or from the data of the last time; ready in under 30 s')
    .option('--base-octet <N>', OCTET_HELP, parseOctet, 0)
    .addOption(
      new Option('--router <kind>', 'what application hosts run: our router, or pgpool-II fed by our watcher')
        .choices(['matriarch', 'pgpool'])
        .default('matriarch'),
    )
    .addOption(
      new Option('--ha <kind>', "what database hosts run: our agent, or Patroni with Patroni's own timing")
        .choices(['matriarch', 'patroni'])
        .default('matriarch'),
    )
    .action((options: KindOptions & UpOption) => up(shell, options));
  withData(lab.command('down'))
    .description('stop every process of the lab; its data stays for the next `up`')
    .option('--delete', 'remove the data folder too')
    .action((options: DataOption & { readonly delete?: boolean }) => down(shell, options));
  withData(lab.command('status'))
    .description('hosts, processes, memory and the cluster')
    .option('--json', 'print JSON')
    .action((options: DataOption & { readonly json?: boolean }) => status(shell, options));
  withData(lab.command('kill'))
    .description('a power cut: SIGKILL to everything on the host')
    .argument('<host>', 'such as db-sib-01 or apps-sib-01')
    .action((host: string, options: DataOption) => kill(shell, host, options));
  withData(lab.command('start'))
    .description('power back: start what does not run on the host')
    .argument('<host>', 'such as db-sib-01 or apps-sib-01')
    .action((host: string, options: DataOption) => start(shell, host, options));
  withData(lab.command('psql'))
    .description('psql on the host: through its router as `app`, or on its PostgreSQL as `postgres`')
    .argument('<host>', 'such as apps-sib-01 or db-sib-01')
    .argument('[args...]', 'arguments for psql, after --')
    .action((host: string, args: string[], options: DataOption) => psql(shell, { host, args, options }));
  withData(lab.command('logs'))
    .description('the last lines of the host’s logs')
    .argument('<host>', 'such as db-sib-01 or apps-sib-01')
    .option('-n, --lines <count>', 'how many of each', parseCount, 20)
    .option('-f, --follow', 'go on with new lines until interrupted')
    .action((host: string, options: DataOption & LogsOption) => logs(shell, host, options));
  withData(lab.command('demo'))
    .description('the main job from nothing: load, reads by weight, a dead datacenter, and back')
    .option('--base-octet <N>', OCTET_HELP, parseOctet, 0)
    .option('--json', 'print the figures as JSON at the end')
    .action((options: DemoOption) => demo(shell, options));
  return lab;
}

const LAB_HELP = `
Hosts: apps-sib-01, db-sib-01 (dc1), apps-sib-03, db-sib-03 (dc2), apps-fsn-01, db-fsn-01 (dc3).
Accounts: postgres / postgres (superuser), app / app (owner of database app).
Data folder: /var/lib/matriarch/lab for root, else ~/.local/state/matriarch/lab.

Examples:
  matriarch lab up
  matriarch lab psql apps-sib-01 -- -c 'select inet_server_addr()'
  matriarch lab kill db-sib-01 && matriarch lab status
  matriarch lab up --data /tmp/second --base-octet 10     a second lab beside the first`;

async function up(shell: Shell, { data, baseOctet, router, ha }: KindOptions & UpOption): Promise<void> {
  const { hasLab, labDown, labUp } = await import('../lab/index.ts');
  const options = await labOptions(shell, data, 'lab');
  const began = shell.clock.now();
  const isNew = !(await hasLab(options.folder));
  await shell.undisturbed(async () => {
    try {
      await labUp(options, {
        baseOctet,
        router,
        ha,
        signal: shell.signal,
        progress: (line) => shell.err(`${line}\n`),
      });
    } catch (cause) {
      // Refused before anything of ours was started: what runs there is another's.
      const isRefused = cause instanceof MatriarchError && REFUSALS.has(cause.code);
      if (!isRefused) await labDown(options.folder, { graceful: false, purge: isNew });
      throw cause;
    }
  });
  shell.err(`up in ${((shell.clock.now() - began) / 1000).toFixed(1)} s; see \`matriarch lab status\`\n`);
}

const REFUSALS: ReadonlySet<string> = new Set(['lab-running', 'lab-addresses-taken', 'lab-folder-unusable']);

async function down(shell: Shell, options: DataOption & { readonly delete?: boolean }): Promise<void> {
  const { labDown, openLab } = await import('../lab/index.ts');
  const folder = labFolder(shell, options.data, 'lab');
  await openLab(folder);
  const count = await labDown(folder, { graceful: true, purge: options.delete === true });
  shell.err(`stopped ${count} processes${options.delete === true ? `, removed ${folder}` : ''}\n`);
}

async function status(shell: Shell, options: DataOption & { readonly json?: boolean }): Promise<void> {
  const { openLab } = await import('../lab/index.ts');
  const { labStatus, renderLabStatus } = await import('./lab-status.ts');
  const found = await labStatus(await openLab(labFolder(shell, options.data, 'lab')));
  shell.out(options.json === true ? `${JSON.stringify(found)}\n` : renderLabStatus(found));
}

async function kill(shell: Shell, name: string, options: DataOption): Promise<void> {
  const { hostNamed, killHost, openLab } = await import('../lab/index.ts');
  const { layout, paths } = await openLab(labFolder(shell, options.data, 'lab'));
  const count = await killHost(paths, hostNamed(layout, name));
  shell.err(`${name}: ${count} processes killed\n`);
}

async function start(shell: Shell, name: string, { data }: DataOption): Promise<void> {
  const { hostNamed, openLab, startHost } = await import('../lab/index.ts');
  const options = await labOptions(shell, data, 'lab');
  const { layout } = await openLab(options.folder);
  const started = await startHost(options, hostNamed(layout, name));
  shell.err(
    `${name}: ${started.length === 0 ? 'everything runs already' : `started ${started.join(' and ')}`}\n`,
  );
}

async function psql(
  shell: Shell,
  {
    host,
    args,
    options,
  }: { readonly host: string; readonly args: readonly string[]; readonly options: DataOption },
): Promise<void> {
  const { hostNamed, openLab } = await import('../lab/index.ts');
  const { runPsql } = await import('./lab-psql.ts');
  const { layout } = await openLab(labFolder(shell, options.data, 'lab'));
  shell.setExit(await runPsql(hostNamed(layout, host), args, shell.env));
}

interface LogsOption {
  readonly lines: number;
  readonly follow?: boolean;
}

async function logs(shell: Shell, name: string, options: DataOption & LogsOption): Promise<void> {
  const { hostNamed, openLab } = await import('../lab/index.ts');
  const { showLogs } = await import('./lab-logs.ts');
  const { layout, paths } = await openLab(labFolder(shell, options.data, 'lab'));
  await showLogs(shell, {
    host: hostNamed(layout, name),
    paths,
    lines: options.lines,
    follow: options.follow === true,
  });
}

/** Whatever ends the story, the lab is ended before this returns; nobody may leave earlier. */
async function demo(shell: Shell, { data, baseOctet, json }: DemoOption): Promise<void> {
  const { clearAbandoned, connectionHelp, labDown, labLayout, runDemo } = await import('../lab/index.ts');
  const options = { ...(await labOptions(shell, data, 'demo')), ownerPid: process.pid };
  await clearAbandoned(options.folder);
  const print = (text: string): void => (json === true ? shell.err(`${text}\n`) : shell.out(`${text}\n`));
  await shell.undisturbed(async () => {
    try {
      const result = await runDemo({ ...options, baseOctet, signal: shell.signal, print });
      if (json === true) shell.out(`${JSON.stringify(result)}\n`);
      if (shell.isTerminal && !shell.signal.aborted) {
        print(connectionHelp(labLayout(baseOctet), options.folder, relative('', COMMAND)));
        await untilAborted(shell.signal);
      }
    } finally {
      await labDown(options.folder, { graceful: false, purge: true });
      print('Everything that the demo started has ended.');
    }
  });
}

async function labOptions(shell: Shell, data: string | undefined, purpose: string): Promise<LabOptions> {
  const { inspectMachine } = await import('../lab/index.ts');
  return {
    folder: labFolder(shell, data, purpose),
    machine: await inspectMachine(userInfo().uid, shell.env['PATH'] ?? ''),
    command: [process.execPath, COMMAND],
  };
}

function labFolder(shell: Shell, data: string | undefined, purpose: string): string {
  const named = data ?? (shell.env['MATRIARCH_LAB'] || undefined);
  if (named !== undefined) return resolve(named);
  if (userInfo().uid === 0) return join('/var/lib/matriarch', purpose);
  return join(shell.env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state'), 'matriarch', purpose);
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await once(signal, 'abort');
}

function withData(command: Command): Command {
  return command.option('--data <dir>', DATA_HELP);
}

function parseOctet(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= OCTET_MAX) return value;
  throw new InvalidArgumentError(`expected a whole number from 0 to ${OCTET_MAX}`);
}

function parseCount(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError('expected a whole number');
}
