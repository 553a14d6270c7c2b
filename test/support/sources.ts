/** The project's own sources, read for checks on them: text, imports, and code without comments and texts. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root; compiled, this file is dist/test/support/sources.js. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

export interface SourceFile {
  /** Path from the root, such as `src/base/clock.ts`. */
  readonly path: string;
  /** The component for files of src (`base`), else the first folder (`test`). */
  readonly folder: string;
  readonly text: string;
  /** The text with comments and the contents of strings blanked; line numbers are kept. */
  readonly code: string;
  readonly imports: readonly Import[];
}

export interface Import {
  readonly line: number;
  /** As written: `../base/index.ts`, `node:fs`, `pg`. */
  readonly specifier: string;
  /** For our own files the path from the root; undefined for packages. */
  readonly target: string | undefined;
  readonly isTypeOnly: boolean;
}

/** Every `.ts` and `.mjs` file under the given folders of the root. */
export function readSources(...folders: readonly string[]): SourceFile[] {
  return folders.flatMap((folder) => filesUnder(folder)).map((path) => readSource(path));
}

/** Text of one file of the repository; undefined when there is none. */
export function readText(path: string): string | undefined {
  const full = join(ROOT, path);
  return existsSync(full) ? readFileSync(full, 'utf8') : undefined;
}

/** The number of the line that `offset` is on, from 1. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

function filesUnder(folder: string): string[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|mjs)$/.test(name))
    .sort()
    .map((name) => `${folder}/${name}`);
}

function readSource(path: string): SourceFile {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const [top = '', second = ''] = path.split('/');
  return {
    path,
    folder: top === 'src' ? second : top,
    text,
    code: withoutTexts(withoutComments(text)),
    imports: importsOf(path, withoutComments(text)),
  };
}

const IMPORT = /(?:^|\n)[ \t]*(import|export)\s+(type\s+)?(?:[\w*{}\s,$]+?\s+from\s+)?'([^'\n]+)'/g;
const DYNAMIC_IMPORT = /\bimport\(\s*'([^']+)'\s*\)/g;

function importsOf(path: string, text: string): Import[] {
  const found = (offset: number, specifier: string, isTypeOnly: boolean): Import => ({
    line: lineAt(text, offset),
    specifier,
    target: specifier.startsWith('.') ? normalize(join(dirname(path), specifier)) : undefined,
    isTypeOnly,
  });
  const fixed = [...text.matchAll(IMPORT)].map((match) =>
    found(match.index + match[0].indexOf(match[1] ?? ''), match[3] ?? '', match[2] !== undefined),
  );
  const dynamic = [...text.matchAll(DYNAMIC_IMPORT)].map((match) =>
    found(match.index, match[1] ?? '', false),
  );
  return [...fixed, ...dynamic];
}

/** Comments only outside of strings on the same line; enough for formatted sources. */
function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, blank)
    .replace(
      /^((?:[^'"`\n]|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\\n]|\\.)*`)*?)\/\/[^\n]*/gm,
      '$1',
    );
}

function withoutTexts(text: string): string {
  return text.replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g, blank);
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, ' ');
}
