/** One setting of the router by itself, as an administrator types it. Pure. */
import { parse } from 'yaml';
import { routerSchema } from './schema.ts';

/** Its value as in `Config`; undefined: there is no such setting, or it cannot be that. */
export function readRouterSetting(key: string, text: string): { readonly value: unknown } | undefined {
  const schema = new Map(Object.entries(routerSchema.shape)).get(key);
  if (schema === undefined) return undefined;
  const parsed = schema.safeParse(scalarOf(text));
  return parsed.success ? { value: parsed.data } : undefined;
}

/** As in the file: numbers and booleans are not quoted there. */
function scalarOf(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return text;
  }
}
