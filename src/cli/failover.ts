/** `matriarch failover`: leadership to a certain member, also while nobody leads. `switchover` is the planned form. */
import { Command } from 'commander';
import { MatriarchError } from '../base/index.ts';
import { withConfigOption } from './config-file.ts';
import type { OperatorOptions } from './members.ts';
import type { Shell } from './shell.ts';

const RESULT_MS = 60_000;

interface FailoverOptions extends OperatorOptions {
  readonly candidate: string;
}

export function failoverCommand(shell: Shell): Command {
  const command = new Command('failover')
    .description('make a certain member the leader, also while there is none or in a pause')
    .requiredOption('--candidate <name>', 'the member to take over')
    .addHelpText('after', HELP)
    .action((options: FailoverOptions) => run(shell, options));
  return withConfigOption(command);
}

const HELP = `
The candidate is judged as in an election: one that is too far behind is refused, whoever asks.

Exit status: 0 done, 1 refused or failed, 3 etcd does not answer.`;

async function run(shell: Shell, options: FailoverOptions): Promise<void> {
  const { chosen, withMembers } = await import('./members.ts');
  await withMembers(shell, options, async ({ view, ask }) => {
    const [candidate] = chosen(view, [options.candidate]);
    const leader = view.leader === undefined ? undefined : view.members.get(view.leader);
    // Any member takes the request; the leader answers for itself, the candidate is there if anybody is.
    const asked = [leader, candidate].filter((member) => member !== undefined);
    let said = 'no member was asked';
    for (const member of asked) {
      const answer = await ask(member, {
        method: 'POST',
        path: '/failover',
        body: { candidate: options.candidate },
        timeoutMs: RESULT_MS,
      });
      said = answer.text;
      if (answer.isOk) {
        shell.out(`${said}\n`);
        return;
      }
      if (!said.startsWith('no answer')) break;
    }
    throw new MatriarchError('failover-failed', `no failover: ${said}`);
  });
}
