/** Every page of docs that is rendered from a table, as text: what render-docs.ts writes and a test compares. */

import assert from 'node:assert/strict';
import { ERROR_TABLE, type ErrorRow, systemClock } from '../src/base/index.ts';
import { buildProgram } from '../src/cli/program.ts';
import { configJsonSchema, renderReference, renderSample } from '../src/config/index.ts';
import { clientsPage } from '../test/clients/table.ts';
import { routingCasesPage } from '../test/support/routing-cases-page.ts';
import {
  DATABASE_KEYS,
  PATRONI_KEYS,
  PATRONI_VARIABLES,
  type PatroniRow,
  PEER_KEYS,
  PGBOUNCER_KEYS,
  PGPOOL_KEYS,
  type Row,
  type Table,
  USER_KEYS,
} from '../src/import/index.ts';
import { METRICS, type MetricRow } from '../src/metrics/index.ts';

/** Path from the repository's root -> text. */
export function referencePages(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/clients.md', clientsPage()],
    ['docs/routing-cases.md', routingCasesPage()],
    ['docs/reference/cli.md', commandPage()],
    ['docs/reference/config.md', renderReference()],
    ['docs/reference/errors.md', errorPage()],
    ['docs/reference/import.md', importPage()],
    ['docs/reference/metrics.md', metricPage()],
    ['docs/reference/matriarch.sample.yaml', renderSample()],
    ['docs/reference/matriarch.schema.json', `${JSON.stringify(configJsonSchema(), null, 2)}\n`],
  ]);
}

function errorPage(): string {
  const rows = Object.entries(ERROR_TABLE)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([code, { exit, hint }]: [string, ErrorRow]) => `| \`${code}\` | ${exit} | ${escaped(hint)} |`);
  return `# Errors

Rendered from the table of errors; do not edit. The command prints what happened, where with the code, and what to
do. What clients of a router see are PostgreSQL's own SQLSTATEs; these codes never reach them.

| Code | Exit status | What to do |
| --- | --- | --- |
${rows.join('\n')}
`;
}

function importPage(): string {
  const tables: readonly (readonly [string, Table])[] = [
    ['PgBouncer: [pgbouncer]', PGBOUNCER_KEYS],
    ['PgBouncer: [databases]', DATABASE_KEYS],
    ['PgBouncer: [users]', USER_KEYS],
    ['PgBouncer: [peers]', PEER_KEYS],
    ['pgpool-II: pgpool.conf', PGPOOL_KEYS],
  ];
  const sections = tables.map(
    ([title, table]) => `## ${title}

| Key | Becomes | |
| --- | --- | --- |
${Object.entries(table).map(importRow).join('\n')}
`,
  );
  return `# Keys of other programs

Rendered from the tables of \`matriarch config import\`; do not edit. Keys of [databases] and [users] are under
\`router.databases.NAME\` and \`router.users.NAME\`. Keys that have a number in pgpool.conf are here without it.

${sections.join('\n')}
${patroniSection()}`;
}

/** Variables are named as the keys are, so only those of a key are counted here, and all are in the table of the program. */
function patroniSection(): string {
  return `## Patroni: patroni.yml

A key stands for all that is under it. \`*\` is any name. Refused is what nobody may do without: an agent does not start from
such a file. The variables \`PATRONI_*\` (${PATRONI_VARIABLES.length} names, and \`PATRONI_NAME_PASSWORD\` and \`PATRONI_NAME_OPTIONS\` of roles) come
before the file, as for Patroni.

| Key | Becomes | |
| --- | --- | --- |
${Object.entries(PATRONI_KEYS).map(patroniRow).join('\n')}
`;
}

function patroniRow([key, row]: [string, PatroniRow]): string {
  if ('none' in row) return `| \`${key}\` | | ${escaped(row.none)} |`;
  if ('together' in row) return `| \`${key}\` | ${escaped(row.together)} | ${escaped(row.says ?? '')} |`;
  if ('to' in row) return `| \`${key}\` | \`${row.to}\` | ${escaped(row.says ?? '')} |`;
  const values = (row.unless ?? []).map((value) => `\`${JSON.stringify(value)}\``).join(', ');
  return `| \`${key}\` | | **refused**${values === '' ? '' : `, but for ${values}`}: ${escaped(row.refused)} |`;
}

function importRow([key, row]: [string, Row]): string {
  if ('none' in row) return `| \`${key}\` | | ${escaped(row.none)} |`;
  if ('together' in row) return `| \`${key}\` | ${escaped(row.together)} | |`;
  const absent = row.absent === undefined ? '' : `written as \`${row.absent}\` where it is left out`;
  return `| \`${key}\` | \`${row.to}\` | ${absent} |`;
}

function metricPage(): string {
  const rows = Object.entries(METRICS).map(
    ([name, { type, labels, help }]: [string, MetricRow]) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(' ')} | ${escaped(help)} |`,
  );
  return `# Metrics

Rendered from the table of metrics; do not edit. Agent and router serve them at \`/metrics\` in Prometheus' text
format. Names are stable; labels have small closed sets of values.

| Name | Type | Labels | Meaning |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
}

/** The help of every command, as a terminal of 100 columns shows it. */
function commandPage(): string {
  const program = buildProgram({
    env: {},
    out: () => undefined,
    err: () => undefined,
    isTerminal: false,
    clock: systemClock,
    nodeVersion: '',
    signal: new AbortController().signal,
    hangUps: () => assert.fail('no command is run here'),
    takeOvers: () => assert.fail('no command is run here'),
    startSuccessor: () => assert.fail('no command is run here'),
    predecessor: undefined,
    setExit: () => undefined,
    undisturbed: (work) => work(),
  });
  const sections = helpOf(program, '').map(
    ({ name, text }) => `## ${name}\n\n\`\`\`\n${text.trimEnd()}\n\`\`\`\n`,
  );
  return `# The command\n\nRendered from the command's own help; do not edit.\n\n${sections.join('\n')}`;
}

type Program = ReturnType<typeof buildProgram>;

function helpOf(command: Program, above: string): { readonly name: string; readonly text: string }[] {
  const name = `${above} ${command.name()}`.trim();
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part), getOutHelpWidth: () => 100 });
  command.outputHelp();
  const below = command.commands.filter((child) => child.name() !== 'help');
  return [{ name, text }, ...below.flatMap((child) => helpOf(child, name))];
}

function escaped(text: string): string {
  return text.replaceAll('|', '\\|');
}
