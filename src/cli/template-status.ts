/** `matriarch template status`: how the files of a running watcher stand. Asked of the watcher. */
import { Command } from 'commander';
import { type Address, describe, EXIT, formatAddress, MatriarchError } from '../base/index.ts';
import type { Shell } from './shell.ts';

const TIMEOUT_MS = 5000;
/** Where a watcher is asked when nothing else is said. */
const USUAL_PLACE: Address = { host: '127.0.0.1', port: 8010 };

export function templateStatusCommand(shell: Shell): Command {
  return new Command('status')
    .description(
      'show how the files of a running watcher stand: revision, last success, last error, next try',
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Asks the watcher at --status-listen, or at ${formatAddress(USUAL_PLACE)}.

Exit status: 0 every file is as it should be, 1 one is not, 3 the watcher does not answer.`,
    )
    .action(async (options: { readonly json?: boolean }, command: Command) => {
      const { statusListen = USUAL_PLACE } = command.optsWithGlobals<{ statusListen?: Address }>();
      const { answerSchema, renderFiles } = await import('./template-status-view.ts');
      const answer = answerSchema.parse(await ask(formatAddress(statusListen)));
      if (answer.resources.some(({ applied }) => !applied)) shell.setExit(EXIT.failed);
      shell.out(options.json === true ? `${JSON.stringify(answer)}\n` : renderFiles(answer));
    });
}

async function ask(watcher: string): Promise<unknown> {
  try {
    const answer = await fetch(`http://${watcher}/resources`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (answer.ok) return await answer.json();
    throw new Error(`it answers ${answer.status}`);
  } catch (cause) {
    const reason = cause instanceof Error && cause.cause !== undefined ? cause.cause : cause;
    const message = `the watcher at ${watcher} does not tell: ${describe(reason)}`;
    throw new MatriarchError('template-unreachable', message, { cause: reason });
  }
}
