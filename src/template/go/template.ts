/** A template: parsed once, executed over any data. What goes in and out here is text; inside, strings are bytes. */
import { BUILTINS } from './builtins.ts';
import { fromText } from './bytes.ts';
import { type Bounds, type Program, run } from './execution.ts';
import type { Functions } from './function.ts';
import { parseTrees } from './parser.ts';
import type { Value } from './values.ts';

export interface Template {
  readonly program: Program;
}

/** Parses the text of a file, given as bytes. Functions are known beside Go's own. Throws `TemplateError`. */
export function parseTemplate(name: string, source: string, functions: Functions = new Map()): Template {
  const all = new Map([...BUILTINS, ...functions]);
  const bytes = fromText(name);
  return {
    program: {
      name: bytes,
      text: source,
      functions: all,
      trees: parseTrees(bytes, source, (each) => all.has(each)),
    },
  };
}

/** The output as bytes. Throws `TemplateError`. */
export function execute({ program }: Template, data: Value, bounds: Bounds): string {
  return run(program, program.name, data, bounds);
}
