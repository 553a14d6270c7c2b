/**
 * A commented `matriarch.yaml`, rendered from the schema. `# text` explains, `#key: value` is a setting at its
 * default; what is not commented out must be given. The sample loads as it is, and with every `#key` opened.
 */
import { configJsonSchema, type SchemaNode } from './json-schema.ts';

const HEAD = `# matriarch.yaml: one file for the agent and the router of a host.
#
# A line such as "#level: info" shows a default; remove the "#" to change it. Durations: 250ms, 5s, 1min,
# or a number of seconds. Addresses: host:port. Check the file with: matriarch config check
#
# yaml-language-server: $schema=./matriarch.schema.json
`;

/** The sample file's text. */
export function renderSample(): string {
  return `${HEAD}\n${section(configJsonSchema(), '').join('\n').trimEnd()}\n`;
}

function section(node: SchemaNode, indent: string): string[] {
  const required = new Set(node.required ?? []);
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const comment = `${indent}# ${child.description ?? ''}`;
    const gap = indent === '' ? [''] : [];
    if (child.properties !== undefined) {
      return [comment, `${indent}${name}:`, ...section(child, `${indent}  `), ...gap];
    }
    // One that cannot stand beside the others is shown, not offered.
    if (child.items?.properties !== undefined && child.examples === undefined) {
      const one = Object.entries(child.items.properties).filter(([, item]) => item.examples !== undefined);
      const example = Object.fromEntries(one.map(([key, item]) => [key, item.examples?.[0]]));
      return [comment, `${indent}# For example: ${name}: ${flow([example])}`, ...gap];
    }
    const mark = required.has(name) ? '' : '#';
    return [comment, `${indent}${mark}${name}: ${flow(exampleOf(child))}`, ...gap];
  });
}

function exampleOf(node: SchemaNode): unknown {
  if (node.examples !== undefined) return node.examples[0];
  if (typeof node.additionalProperties === 'object') return { NAME: exampleOf(node.additionalProperties) };
  return node.default;
}

/** YAML on one line: plain where it reads as the same text, else quoted. */
function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const pairs = Object.entries(value).map(([key, child]) => `${key}: ${flow(child)}`);
    return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`;
  }
  if (typeof value !== 'string') return JSON.stringify(value);
  return /^[A-Za-z/][\w./:-]*$/.test(value) || /^\d[\d.]*(:\d+|[a-z]+)$/.test(value)
    ? value
    : JSON.stringify(value);
}
