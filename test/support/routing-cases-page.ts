/** docs/routing-cases.md, from the tables that the tests run by. */
import { ROUTING_CASES } from './routing-cases.ts';
import { MORE_CASES } from './routing-cases-more.ts';
import { PUBLISHED_CASES } from './routing-cases-published.ts';
import type { RoutingCase, RoutingStep, Where } from './routing-steps.ts';

const LETTERS: Readonly<Record<Where, string>> = { primary: 'P', standby: 'S', any: '·' };
const IN_TRANSACTION = 'in a transaction that is not READ ONLY the primary is right for reads too';
const BY_ROUTER = 'the router answers it';

export function routingCasesPage(): string {
  const own = [...ROUTING_CASES, ...MORE_CASES];
  const steps = own.reduce((sum, one) => sum + one.steps.length, 0);
  return `# Where statements run: the cases

Rendered from the tables that the tests run by (\`test/support/routing-cases*.ts\`); do not edit. \`npm test\` plays each case through a
router in front of a primary and two standbys, in the simple and the extended protocol and with named prepared statements where the case is
not about one of them, and reads in the logs of the servers where each statement ran. The router gives no weight to the primary: a read is there only for a reason.

**P** ran on the primary, **S** on a standby, **·** may run on any of them or on none; **P(S)**: it ran on the primary, and is published to run on a standby. \`!\`: an error is wanted.

## Published cases

${PUBLISHED_CASES.length} cases by which pgpool-II's own tests and manual, and reports of its users, tell where a statement must run. "Ours" is what stands for a setting of pgpool-II's.

| case | statements | ours | where it differs |
| --- | --- | --- | --- |
${PUBLISHED_CASES.map(publishedRow).join('\n')}

## Cases of our own

${own.length} cases with ${steps} statements. Those marked *decides* are played with \`router.first_statement_decides\`.

| statements |
| --- |
${own.map((one) => `| ${one.router === 'first-decides' ? '*decides* ' : ''}${stepsText(one)} |`).join('\n')}
`;
}

function publishedRow(one: RoutingCase): string {
  const different = one.steps.filter(({ where, published }) => where !== published);
  const reasons = new Set(different.map((step) => reasonOf(one, step)));
  const notes = [
    ...(one.router === 'swapped' ? ['after a failover'] : []),
    ...Object.values(one.as),
    one.setting,
  ];
  const ours = notes.filter((note) => note !== '').join(', ');
  return `| ${one.name} | ${stepsText(one)} | ${escaped(ours)} | ${escaped([...reasons].join('; '))} |`;
}

function reasonOf({ differs }: RoutingCase, { sql, where, published }: RoutingStep): string {
  if (differs !== '') return differs;
  if (sql.startsWith('DEALLOCATE')) return BY_ROUTER;
  if (where === 'primary' && published === 'standby') return IN_TRANSACTION;
  throw new Error(`why is ${sql} not as published?`);
}

function stepsText({ steps }: RoutingCase): string {
  return steps
    .map((step) => {
      const { where, published, isError } = step;
      const letter = where === published ? LETTERS[where] : `${LETTERS[where]}(${LETTERS[published]})`;
      return `${isError ? '!' : ''}**${letter}** ${code(step)}`;
    })
    .join('<br>');
}

function code({ sql, op, name, parameter }: RoutingStep): string {
  const text = sql.replaceAll(';&', '; ').replaceAll('\n', ' ').trim();
  switch (op) {
    case 'parse':
      return `Parse ${name}: ${quoted(text)}`;
    case 'run':
      return `Bind and Execute ${name}${parameter === undefined ? '' : ` with ${parameter}`}`;
    case 'portal':
      return `Describe the portal ${name}`;
    case 'pipe':
      return `in one pipeline ${quoted(text)}`;
    case 'copy':
      return `with rows ${quoted(text)}`;
    case 'as':
      return `extended${name === '' ? '' : ` as ${name}`} ${quoted(text)}`;
    case undefined:
      return quoted(text);
  }
  return op;
}

const quoted = (text: string): string => `\`\`${escaped(` ${text} `)}\`\``;
const escaped = (text: string): string => text.replaceAll('|', '\\|');
