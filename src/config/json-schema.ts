/**
 * The schema as JSON Schema: what editors read, and what "did you mean", the sample and the reference page walk.
 * Described is what an operator writes (the input), not what the program gets.
 */
import { z } from 'zod';
import { assert } from '../base/index.ts';
import { configSchema } from './schema.ts';

/** A node of the JSON Schema (draft 2020-12); only what the schema of this folder can bring forth. */
export interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | SchemaNode;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
}

let made: SchemaNode | undefined;

/** JSON Schema of `matriarch.yaml`. */
export function configJsonSchema(): SchemaNode {
  // JSON.parse is the border where the library's wide type becomes the narrow one of what our schema can hold.
  made ??= JSON.parse(
    JSON.stringify({ title: 'matriarch.yaml', ...z.toJSONSchema(configSchema, { io: 'input' }) }),
  );
  assert(made !== undefined, 'the schema has a JSON form');
  return made;
}

/** The node that describes what stands at `path`; undefined where the schema says nothing. */
export function schemaAt(path: readonly (string | number)[]): SchemaNode | undefined {
  let node: SchemaNode | undefined = configJsonSchema();
  for (const step of path) {
    if (node === undefined) return undefined;
    if (typeof step === 'number') {
      node = node.items;
      continue;
    }
    const open: SchemaNode | undefined =
      typeof node.additionalProperties === 'object' ? node.additionalProperties : undefined;
    node = Object.hasOwn(node.properties ?? {}, step) ? node.properties?.[step] : open;
  }
  return node;
}

/** A setting of the file: its path with dots (`[]` for the entries of a list, NAME for a key of one's own) and its node. */
export interface Setting {
  readonly key: string;
  readonly node: SchemaNode;
  readonly isRequired: boolean;
}

/** Every setting and section, in the order of the schema, sections before what is in them. */
export function allSettings(node: SchemaNode = configJsonSchema(), prefix = ''): Setting[] {
  const entries = Object.entries(node.properties ?? {});
  return entries.flatMap(([name, child]): Setting[] => {
    const key = prefix + name;
    const isRequired = (node.required ?? []).includes(name);
    const listed = child.items === undefined ? [] : allSettings(child.items, `${key}[].`);
    const { additionalProperties: open } = child;
    const named = typeof open === 'object' ? allSettings(open, `${key}.NAME.`) : [];
    return [{ key, node: child, isRequired }, ...allSettings(child, `${key}.`), ...listed, ...named];
  });
}
