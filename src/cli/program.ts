/** The command line as a whole: its commands, its help, and how it ends. */
import { Command } from 'commander';
import { agentCommand } from './agent.ts';
import { authCommand } from './auth.ts';
import { editConfigCommand, pauseCommand, resumeCommand, showConfigCommand } from './cluster-config.ts';
import { configCommand } from './config-command.ts';
import { explainCommand } from './explain.ts';
import { failoverCommand } from './failover.ts';
import { historyCommand } from './history.ts';
import { labCommand } from './lab.ts';
import { reinitCommand, reloadCommand, restartCommand } from './operate.ts';
import { routerCommand } from './router.ts';
import type { Shell } from './shell.ts';
import { statusCommand } from './status.ts';
import { switchoverCommand } from './switchover.ts';
import { templateCommand } from './template.ts';
import { packageVersion } from './version.ts';

const HELP = `
New here? This brings up three datacenters on this machine, kills one, and shows what happens:
  matriarch lab demo

On a real cluster:
  matriarch config sample > matriarch.yaml     write a file to start from
  matriarch config check                       see what is wrong with it
  matriarch agent                              on each database host
  matriarch router                             on each application host
  matriarch template --watch                   keep the files of other programs right from etcd, as confd does
  matriarch status --watch                     who leads, who lags
  matriarch explain 'SELECT 1'                 where a statement goes, and why
  matriarch switchover --candidate db-sib-03   hand over in order
  matriarch restart --all --pending            restart PostgreSQL where a setting waits for it
  matriarch pause, matriarch resume            work by hand for a while

Environment:
  MATRIARCH_CONFIG   the file to use when --config is not given
  LOCAL_DATACENTER   datacenter of this host; comes before the file's

Exit status:
  0   done
  1   tried, and failed; or the answer is no (status: there is no primary)
  2   the command line or matriarch.yaml is wrong; nothing was tried
  3   something outside is not as needed: etcd, PostgreSQL, a port, the disk
  70  a bug in matriarch`;

/** All commands. Nothing is run before \`parseAsync\`; errors of usage are thrown as \`CommanderError\`. */
export function buildProgram(shell: Shell): Command {
  const program = new Command('matriarch')
    .description('PostgreSQL high availability and query routing for three datacenters')
    .version(packageVersion(), '-V, --version', 'print the version')
    .showHelpAfterError('(matriarch --help lists the commands)')
    .addHelpText('after', HELP);
  const lab: (shell: Shell) => Command = labCommand;
  for (const command of [
    statusCommand,
    switchoverCommand,
    failoverCommand,
    restartCommand,
    reloadCommand,
    reinitCommand,
    pauseCommand,
    resumeCommand,
    showConfigCommand,
    editConfigCommand,
    historyCommand,
    explainCommand,
    lab,
    agentCommand,
    routerCommand,
    templateCommand,
    authCommand,
    configCommand,
  ]) {
    program.addCommand(command(shell));
  }
  program
    .command('version')
    .description('print the version')
    .action(() => shell.out(`matriarch ${packageVersion()} (Node.js ${shell.nodeVersion})\n`));
  settle(program, shell);
  return program;
}

/** Output through the shell, and exceptions instead of exits, for the command and all below it. */
function settle(command: Command, shell: Shell): void {
  if (command.parent !== null) command.showHelpAfterError('(add --help for what it takes)');
  command.exitOverride();
  command.configureOutput({ writeOut: shell.out, writeErr: shell.err });
  for (const child of command.commands) settle(child, shell);
}
