/**
 * An error as a person sees it: what happened, where, what to do. The stack only for bugs and with --debug.
 */
import { describe, EXIT, MatriarchError } from '../base/index.ts';

export interface ErrorText {
  readonly text: string;
  readonly exit: number;
}

/** The lines for standard error, and the exit status. `line` is what was run, such as `matriarch status`. */
export function renderError(cause: unknown, line: string, debug: boolean): ErrorText {
  const command = withoutPasswords(line);
  if (cause instanceof MatriarchError) {
    const lines = [
      `error: ${cause.message}`,
      `where: ${command} (${cause.code}${because(cause)})`,
      `to do: ${cause.hint}`,
      ...(debug ? [stackOf(cause)] : []),
    ];
    return { text: `${lines.join('\n')}\n`, exit: cause.exit };
  }
  const lines = [
    `error: ${describe(cause)}`,
    `where: ${command}; this is a bug in matriarch, not a mistake of yours`,
    'to do: Report it with the lines below and what you did before.',
    stackOf(cause),
  ];
  return { text: `${lines.join('\n')}\n`, exit: EXIT.bug };
}

/** Passwords in URLs are for the program that is run, not for its log. */
const withoutPasswords = (command: string): string =>
  command.replaceAll(/(:\/\/[^\s:/@]*:)[^\s@]*@/g, '$1…@');

function because({ cause }: MatriarchError): string {
  return cause === undefined ? '' : `; ${describe(cause)}`;
}

function stackOf(cause: unknown): string {
  if (!(cause instanceof Error)) return '';
  const inner =
    cause.cause === undefined ? '' : `\ncaused by: ${stackOf(cause.cause) || describe(cause.cause)}`;
  return `${cause.stack ?? cause.message}${inner}`;
}
