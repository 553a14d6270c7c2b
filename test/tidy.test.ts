/**
 * What a program can keep of the project's habits: who imports whom, what pure code may touch, where the process
 * is spoken to, sizes, comments, and that rendered pages and tables are what they should be. Every rule reads the
 * sources and fails with file, line and what to do; a rule that looked at nothing fails as well.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { referencePages } from '../scripts/reference.ts';
import { ERROR_TABLE } from '../src/base/index.ts';
import { allSettings } from '../src/config/index.ts';
import { METRICS } from '../src/metrics/index.ts';
import { lineAt, readSources, readText, type SourceFile } from './support/sources.ts';

/** Folder of src -> the folders whose doors it may import. A new folder? Add it, and keep the table without circles. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  config: ['base', 'ha', 'auth'],
  import: ['base', 'auth', 'config'],
  wire: ['base'],
  auth: ['base', 'wire'],
  sql: ['base'],
  dcs: ['base'],
  topology: ['base', 'dcs'],
  routing: [],
  metrics: ['base'],
  pool: ['base'],
  admin: ['base', 'wire'],
  router: ['base', 'config', 'wire', 'auth', 'sql', 'dcs', 'topology', 'routing', 'pool', 'admin', 'metrics'],
  postgres: ['base', 'wire'],
  ha: ['base'],
  pgpool: ['base'],
  template: ['base', 'dcs', 'topology', 'metrics', 'pgpool'],
  agent: ['base', 'config', 'ha', 'dcs', 'topology', 'postgres', 'metrics'],
  lab: ['base', 'dcs', 'topology', 'postgres'],
  cli: [
    'base',
    'config',
    'import',
    'dcs',
    'topology',
    'router',
    'postgres',
    'agent',
    'lab',
    'template',
    'pgpool',
  ],
};

/** The command may import everything; its row of the map says so in a word. */
const isNotCli = (row: string): boolean => !row.startsWith('cli:');

const PURE = [
  'wire',
  'auth',
  'sql',
  'routing',
  'ha',
  'topology',
  'pool',
  'admin',
  'import',
  'template',
  'pgpool',
];
/** The shells among the pure folders: the watch, the loading of the grammar with its declarations, what applies templates, PCP. */
const SHELLS =
  /^src\/(topology\/watch|sql\/grammar|sql\/libpg-query-wasm\.d|template\/shell\/[\w-]+|pgpool\/pcp)\.ts$/;
/** `loadClassifier` waits for the grammar; everything behind it is synchronous. */
const MAY_AWAIT = ['src/sql/classifier.ts'];

const LINES_MAX = 400;

const sources = readSources('src', 'scripts', 'test', 'bench');
const ours = sources.filter(({ path }) => path.startsWith('src/'));
const tests = sources.filter(({ path }) => path.startsWith('test/') && path !== 'test/tidy.test.ts');

test('folders import only what they may, and only through doors', (t) => {
  let seen = 0;
  const wrong = ours.flatMap((file) =>
    file.imports.flatMap(({ target, line, specifier }) => {
      if (target === undefined) return [];
      seen += 1;
      const at = `${file.path}:${line}: imports ${specifier}`;
      const to = target.split('/')[1] ?? '';
      if (!target.startsWith('src/')) return [`${at}: src may not import from outside src`];
      if (to === file.folder) return [];
      if (target !== `src/${to}/index.ts`) return [`${at}: import the door, ../${to}/index.ts`];
      const allowed = MAY_IMPORT[file.folder];
      if (allowed === undefined)
        return [`${at}: folder ${file.folder} is not in the table of test/tidy.test.ts`];
      return allowed.includes(to)
        ? []
        : [`${at}: ${file.folder} may import ${allowed.join(', ') || 'nothing of ours'}`];
    }),
  );
  t.diagnostic(`saw ${seen} imports of our own files in ${ours.length} files`);
  assert.ok(seen > 0, 'no import was seen');
  assert.deepEqual(wrong, []);
});

test('the code map of ARCHITECTURE says the same as the table of allowed imports', () => {
  const rows = (readText('docs/ARCHITECTURE.md') ?? '').matchAll(/^\| `src\/(\w+)`.*\| ([^|]+) \|$/gm);
  const written = [...rows].map(([, folder, may]) => `${folder}: ${may === 'nothing' ? '' : may}`);
  const enforced = Object.entries(MAY_IMPORT).map(([folder, may]) => `${folder}: ${may.join(', ')}`);
  assert.deepEqual(written.filter(isNotCli).sort(), enforced.filter(isNotCli).sort());
});

test('no import is allowed that nobody makes', () => {
  const unused = Object.entries(MAY_IMPORT).flatMap(([folder, may]) => {
    const made = new Set(
      ours
        .filter((file) => file.folder === folder)
        .flatMap(({ imports }) => imports.map(({ target }) => target?.split('/')[1])),
    );
    return may.filter((each) => !made.has(each)).map((each) => `${folder} -> ${each}`);
  });
  assert.deepEqual(unused, []);
});

test('the table of allowed imports has no circle', () => {
  const visit = (folder: string, above: readonly string[]): void => {
    assert.ok(!above.includes(folder), `circle: ${[...above, folder].join(' -> ')}`);
    for (const next of MAY_IMPORT[folder] ?? []) visit(next, [...above, folder]);
  };
  for (const folder of Object.keys(MAY_IMPORT)) visit(folder, []);
});

test('files do not import each other in a circle', () => {
  const needs = new Map(
    ours.map(({ path, imports }) => [
      path,
      imports
        .filter(({ isTypeOnly }) => !isTypeOnly)
        .flatMap(({ target }) => (target === undefined ? [] : [target])),
    ]),
  );
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, above: readonly string[]): void => {
    if (above.includes(path)) circles.push([...above.slice(above.indexOf(path)), path].join(' -> '));
    if (done.has(path) || above.includes(path)) return;
    for (const next of needs.get(path) ?? []) visit(next, [...above, path]);
    done.add(path);
  };
  for (const path of needs.keys()) visit(path, []);
  assert.deepEqual(circles, []);
});

test('a door only re-exports', () => {
  const doors = ours.filter(({ path }) => /^src\/\w+\/index\.ts$/.test(path));
  assert.ok(doors.length > 0, 'no door was seen');
  const wrong = doors.filter(
    ({ code }) => code.replace(/export\s+(type\s+)?(\{[^}]*\}|\*)\s+from\s+;/g, '').trim() !== '',
  );
  assert.deepEqual(paths(wrong), [], 'these hold more than `export … from`');
});

test('pure folders touch no socket, file, clock, timer, randomness, promise or process', () => {
  const pure = ours.filter(({ path, folder }) => PURE.includes(folder) && !SHELLS.test(path));
  assert.ok(pure.length > 0, 'no pure file was seen');
  const wrong = pure.flatMap((file) => [
    ...file.imports
      .filter(({ specifier }) => IMPURE_MODULE.test(specifier))
      .map(({ line, specifier }) => `${file.path}:${line}: a pure folder may not import ${specifier}`),
    ...findings(file, IMPURE_WORD, 'is not pure; take it as an argument'),
    ...(MAY_AWAIT.includes(file.path)
      ? []
      : findings(file, ASYNC_WORD, 'is not pure; decide here, wait in the shell')),
  ]);
  assert.deepEqual(wrong, []);
});

const IMPURE_MODULE =
  /^(node:(net|tls|http|https|http2|dgram|dns|fs|child_process|cluster|worker_threads|timers|os|process|readline|perf_hooks)(\/.*)?|pg|undici|pino|hono|commander)$/;
const IMPURE_WORD =
  /\b(setTimeout|setInterval|setImmediate|queueMicrotask|performance\.now|Date\.now|new Date\(\)|Math\.random|randomBytes|randomInt|randomUUID|process\.\w+|fetch\()/g;
const ASYNC_WORD = /\b(async|await|Promise)\b/g;

test('every file opens with a comment that says what it is', () => {
  const wrong = sources.filter(({ text }) => !/^(#![^\n]*\n)?(\/\*\*|\/\/)/.test(text));
  assert.deepEqual(paths(wrong), []);
});

test(`no file is longer than ${LINES_MAX} lines`, () => {
  const wrong = sources
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > LINES_MAX)
    .map(({ path, lines }) => `${path}: ${lines} lines`);
  assert.deepEqual(wrong, []);
});

test('the process is spoken to only at home', () => {
  const rules: readonly { readonly word: RegExp; readonly homes: readonly string[] }[] = [
    { word: /\bprocess\.exit(Code)?\b/g, homes: ['src/cli/main.ts', 'src/agent/fence-process.ts'] },
    { word: /\bprocess\.(env|argv|on|once)\b/g, homes: ['src/cli/main.ts', 'src/agent/fence-process.ts'] },
    { word: /\bconsole\./g, homes: [] },
    { word: /\bDate\.now\b|\bnew Date\(\)/g, homes: ['src/base/clock.ts'] },
    { word: /\bMath\.random\b/g, homes: ['src/cli/service.ts'] },
  ];
  const wrong = rules.flatMap(({ word, homes }) =>
    ours
      .filter(({ path }) => !homes.includes(path))
      .flatMap((file) => findings(file, word, `is at home only in ${homes.join(', ') || 'no file'}`)),
  );
  assert.deepEqual(wrong, []);
});

test('nothing is left for later', () => {
  // Written so that this line is none itself.
  const pattern = /\bTO{1}DO\b|\bFIX{1}ME\b/;
  const wrong = sources.flatMap(({ path, text }) =>
    text
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
  );
  assert.deepEqual(wrong, []);
});

for (const [path, text] of referencePages()) {
  test(`${path} is what its table renders to`, () => {
    assert.equal(readText(path), text, `${path} is stale; run \`npm run docs\``);
  });
}

test('each error code is mentioned by a test', () => {
  const codes = Object.keys(ERROR_TABLE);
  assert.deepEqual(
    unmentioned(codes, (code) => new RegExp(`(?<![\\w-])${code}(?![\\w-])`)),
    [],
    'provoke these errors in a test',
  );
});

test('each setting of matriarch.yaml is mentioned by a test', () => {
  const settings = allSettings().map(({ key }) => key.replace('[]', ''));
  assert.deepEqual(
    unmentioned(settings, (key) => new RegExp(`\\b${key.slice(key.lastIndexOf('.') + 1)}\\b`)),
    [],
    'use these in a test',
  );
});

test('each metric is reported by some component', () => {
  const reporting = ours.filter(({ path }) => path !== 'src/metrics/table.ts');
  const unused = Object.keys(METRICS).filter(
    (name) => !reporting.some(({ text }) => text.includes(`'${name}'`)),
  );
  assert.deepEqual(unused, [], 'nobody reports these; report them or remove them from src/metrics/table.ts');
});

function paths(files: readonly SourceFile[]): string[] {
  return files.map(({ path }) => path);
}

function findings({ path, code }: SourceFile, word: RegExp, why: string): string[] {
  return [...code.matchAll(word)].map((match) => `${path}:${lineAt(code, match.index)}: ${match[0]} ${why}`);
}

function unmentioned(names: readonly string[], spelling: (name: string) => RegExp): string[] {
  assert.ok(names.length > 0 && tests.length > 0, 'nothing to look at');
  return names.filter((name) => !tests.some(({ text }) => spelling(name).test(text)));
}
