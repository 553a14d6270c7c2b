/** The commands of a resource: templates themselves, with the paths of the staged file and of the one it is to be. */
import { fromText, toText } from '../go/bytes.ts';
import { Bounds } from '../go/execution.ts';
import { execute, parseTemplate } from '../go/template.ts';
import { GoMap, mapOf, STRING } from '../go/values.ts';

export interface CommandPaths {
  readonly src: string;
  readonly dest: string;
}

const COMMAND_BYTES_MAX = 128 * 1024;

/** The line for the shell. Throws `TemplateError`. */
export function commandLine(command: string, { src, dest }: CommandPaths): string {
  const dot = new GoMap(
    mapOf(STRING),
    new Map([
      ['src', fromText(src)],
      ['dest', fromText(dest)],
    ]),
  );
  return toText(execute(parseTemplate('command', fromText(command)), dot, new Bounds(COMMAND_BYTES_MAX)));
}
