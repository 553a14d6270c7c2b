/** `matriarch restart`, `reload` and `reinit`: what is asked of members one by one, by their REST APIs. */
import { Command } from 'commander';
import { MatriarchError } from '../base/index.ts';
import type { Member } from '../topology/index.ts';
import { withConfigOption } from './config-file.ts';
import type { Members, OperatorOptions, Question } from './members.ts';
import type { Shell } from './shell.ts';

/** A restart, or a checkpoint before it, may take long; a member says at once what it refuses. */
const RESTART_MS = 10 * 60_000;
const CALL_MS = 10_000;

interface RestartOptions extends OperatorOptions {
  readonly all?: boolean;
  readonly role?: string;
  readonly pending?: boolean;
  readonly olderThan?: string;
  readonly timeout?: string;
  readonly at?: string;
  readonly cancel?: boolean;
}

export function restartCommand(shell: Shell): Command {
  const command = new Command('restart')
    .description('restart PostgreSQL of members in its place, one after the other; a leader stays the leader')
    .argument('[members...]', 'names of members')
    .option('--all', 'all members')
    .option('--role <role>', 'only those that are this now: primary or replica')
    .option('--pending', 'only those where a setting waits for a restart')
    .option('--older-than <version>', 'only where PostgreSQL is older than this, such as 15.4')
    .option('--timeout <duration>', 'how long PostgreSQL may take to start')
    .option('--at <time>', 'not now but then: ISO 8601 with its zone, such as 2026-01-31T02:00+01:00')
    .option('--cancel', 'take a scheduled restart back')
    .addHelpText('after', RESTART_HELP)
    .action(async (names: readonly string[], options: RestartOptions) =>
      each(shell, options, { names, question: restartQuestion(options) }),
    );
  return withConfigOption(command);
}

const RESTART_HELP = `
Examples:
  matriarch restart db-sib-03                  this one
  matriarch restart --all --pending            wherever a setting waits for it
  matriarch restart --all --role replica       the standbys

Exit status: 0 all did, 1 one refused or failed, 3 etcd does not answer.`;

function restartQuestion(options: RestartOptions): Question {
  const body = {
    ...(options.role === undefined ? {} : { role: options.role }),
    ...(options.pending === true ? { restart_pending: true } : {}),
    ...(options.olderThan === undefined ? {} : { postgres_version: options.olderThan }),
    ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
    ...(options.at === undefined ? {} : { schedule: options.at }),
  };
  return options.cancel === true
    ? { method: 'DELETE', path: '/restart', timeoutMs: CALL_MS }
    : { method: 'POST', path: '/restart', body, timeoutMs: RESTART_MS };
}

export function reloadCommand(shell: Shell): Command {
  const command = new Command('reload')
    .description('have members read their file again, and PostgreSQL its configuration')
    .argument('[members...]', 'names of members; all if none is given')
    .action(async (names: readonly string[], options: OperatorOptions) => {
      const question = { method: 'POST', path: '/reload', timeoutMs: CALL_MS } as const;
      await each(shell, { ...options, all: true }, { names, question });
    });
  return withConfigOption(command);
}

export function reinitCommand(shell: Shell): Command {
  const command = new Command('reinit')
    .description('throw a standby’s data away and copy it anew from the leader')
    .argument('<members...>', 'names of members')
    .option('--force', 'also where a copy is being made: that one is given up')
    .action(async (names: readonly string[], options: OperatorOptions & { readonly force?: boolean }) => {
      const body = options.force === true ? { force: true } : {};
      const question = { method: 'POST', path: '/reinitialize', body, timeoutMs: CALL_MS } as const;
      await each(shell, options, { names, question });
    });
  return withConfigOption(command);
}

async function each(
  shell: Shell,
  options: OperatorOptions & { readonly all?: boolean },
  asked: { readonly names: readonly string[]; readonly question: Question },
): Promise<void> {
  if (asked.names.length === 0 && options.all !== true)
    throw new MatriarchError('member-unknown', 'no member is named; --all means all of them');
  const { askEach, chosen, withMembers } = await import('./members.ts');
  await withMembers(shell, options, async (members) => {
    const found = leaderLast(members, chosen(members.view, asked.names));
    await askEach(shell, members, { members: found, question: asked.question });
  });
}

/** Standbys first, so that a mistake shows where it does the least harm. */
function leaderLast({ view }: Members, members: readonly Member[]): readonly Member[] {
  return [...members].sort((a, b) => Number(a.name === view.leader) - Number(b.name === view.leader));
}
