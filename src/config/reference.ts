/** The reference page of `matriarch.yaml`, rendered from the schema: one table a section. */
import { allSettings, configJsonSchema, type SchemaNode, type Setting } from './json-schema.ts';

const HEAD = `# matriarch.yaml

Rendered from the schema; do not edit. One file serves the agent and the router of a host. It is looked for as
\`--config FILE\`, then \`MATRIARCH_CONFIG\`, then \`./matriarch.yaml\`, then \`/etc/matriarch/matriarch.yaml\`;
\`matriarch config check\` reports everything that is wrong with it. Unknown keys are errors. The environment's
\`LOCAL_DATACENTER\` comes before \`datacenter\`.

Editors check and complete the file with \`matriarch.schema.json\`; a commented example is \`matriarch.sample.yaml\`.
Durations are \`250ms\`, \`5s\`, \`1min\`, \`2h\` or a number of seconds; addresses are \`host:port\`.
`;

/** The page's Markdown. */
export function renderReference(): string {
  const settings = allSettings();
  const top = settings.filter((setting) => !isSection(setting) && !setting.key.includes('.'));
  const sections = Object.entries(configJsonSchema().properties ?? {}).filter(
    ([, node]) => node.properties !== undefined || node.items?.properties !== undefined,
  );
  const parts = sections.map(([name, node]) => {
    const inside = settings.filter(
      (setting) =>
        /^[.[]/.test(setting.key.slice(name.length)) && setting.key.startsWith(name) && !isSection(setting),
    );
    return `## ${name}\n\n${node.description ?? ''}\n\n${table(inside)}`;
  });
  return [`${HEAD}\n## At the top\n\n${table(top)}`, ...parts].join('\n');
}

function isSection({ node }: Setting): boolean {
  return node.properties !== undefined;
}

function table(settings: readonly Setting[]): string {
  const rows = settings.map(
    ({ key, node, isRequired }) =>
      `| \`${key}\` | ${typeOf(node)} | ${isRequired ? 'required' : defaultOf(node)} | ${escaped(node.description ?? '')} |`,
  );
  return `| Key | Type | Default | Meaning |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n`;
}

function typeOf(node: SchemaNode): string {
  if (node.enum !== undefined) return node.enum.map((value) => `\`${value}\``).join(' ');
  if (node.anyOf?.length === 2) return 'duration';
  if (node.type === 'boolean') return '`true` `false`';
  if (node.type === 'array') return 'list';
  if (node.type === 'object') return 'map';
  if (node.type === 'integer') return `${node.minimum} … ${node.maximum}`;
  return node.pattern?.endsWith(':\\d{1,5}$') === true ? 'address' : 'text';
}

function defaultOf(node: SchemaNode): string {
  const { default: value } = node;
  if (value === undefined) return '';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function escaped(text: string): string {
  return text.replaceAll('|', '\\|');
}
