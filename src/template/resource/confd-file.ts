/**
 * confd's own settings, usually /etc/confd/confd.toml, as options of the command. What is not known here, and what is known
 * and does nothing, is named; what is of the wrong type is a problem. Keys:
 * https://github.com/kelseyhightower/confd/blob/master/docs/configuration-guide.md [pure]
 */
import { type Problem, parseToml, placeOfKey } from './toml.ts';

/** By the names of the command's options. Undefined: not in the file. */
export interface ConfdSettings {
  readonly backend?: string;
  readonly confdir?: string;
  /** Milliseconds. */
  readonly interval?: number;
  readonly logLevel?: string;
  readonly node?: readonly string[];
  readonly noop?: boolean;
  readonly prefix?: string;
  readonly syncOnly?: boolean;
  readonly watch?: boolean;
  readonly keepStageFile?: boolean;
  readonly file?: readonly string[];
  readonly filter?: string;
  readonly clientCaKeys?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
  readonly username?: string;
  readonly password?: string;
}

export type ConfdFile =
  | {
      readonly outcome: 'ok';
      readonly settings: ConfdSettings;
      /** Keys that do nothing here. */
      readonly idle: readonly string[];
    }
  | { readonly outcome: 'problems'; readonly problems: readonly Problem[] };

type Kind = 'text' | 'texts' | 'flag' | 'seconds';

const KEYS: Readonly<Record<string, { readonly option: keyof ConfdSettings; readonly kind: Kind }>> = {
  backend: { option: 'backend', kind: 'text' },
  confdir: { option: 'confdir', kind: 'text' },
  interval: { option: 'interval', kind: 'seconds' },
  'log-level': { option: 'logLevel', kind: 'text' },
  nodes: { option: 'node', kind: 'texts' },
  noop: { option: 'noop', kind: 'flag' },
  prefix: { option: 'prefix', kind: 'text' },
  'sync-only': { option: 'syncOnly', kind: 'flag' },
  watch: { option: 'watch', kind: 'flag' },
  'keep-stage-file': { option: 'keepStageFile', kind: 'flag' },
  file: { option: 'file', kind: 'texts' },
  filter: { option: 'filter', kind: 'text' },
  client_cakeys: { option: 'clientCaKeys', kind: 'text' },
  client_cert: { option: 'clientCert', kind: 'text' },
  client_key: { option: 'clientKey', kind: 'text' },
  username: { option: 'username', kind: 'text' },
  password: { option: 'password', kind: 'text' },
};

/** They say what is done anyway: a login wherever a user is named, and the scheme that stands before a node. */
const IMPLIED: ReadonlySet<string> = new Set(['basic_auth', 'scheme']);

export function readConfdFile(text: string): ConfdFile {
  const toml = parseToml(text);
  if (toml.outcome === 'problem') return { outcome: 'problems', problems: [toml.problem] };
  const settings: Record<string, unknown> = {};
  const idle: string[] = [];
  const problems: Problem[] = [];
  const scheme = toml.value['scheme'] === 'https' ? 'https' : 'http';
  for (const [key, value] of Object.entries(toml.value)) {
    const known = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    if (known === undefined) {
      if (!IMPLIED.has(key)) idle.push(key);
      continue;
    }
    const read = readAs(known.kind, value);
    if (read === undefined)
      problems.push({ ...placeOfKey(text, '', key), key, message: `expected ${EXPECTED[known.kind]}` });
    // An empty text or list is as if the key were not there.
    else if (read !== '' && !(Array.isArray(read) && read.length === 0))
      settings[known.option] = key === 'nodes' ? withScheme(read, scheme) : read;
  }
  return problems.length > 0 ? { outcome: 'problems', problems } : { outcome: 'ok', settings, idle };
}

const EXPECTED: Readonly<Record<Kind, string>> = {
  text: 'a string',
  texts: 'a list of strings',
  flag: 'true or false',
  seconds: 'a whole number of seconds',
};

function readAs(kind: Kind, value: unknown): unknown {
  switch (kind) {
    case 'text':
      return typeof value === 'string' ? value : undefined;
    case 'texts':
      return Array.isArray(value) && value.every((one) => typeof one === 'string') ? value : undefined;
    case 'flag':
      return typeof value === 'boolean' ? value : undefined;
    case 'seconds':
      return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value * 1000 : undefined;
  }
  return undefined;
}

function withScheme(nodes: unknown, scheme: string): unknown {
  if (!Array.isArray(nodes)) return nodes;
  return nodes.map((node: unknown) => (String(node).includes('://') ? node : `${scheme}://${String(node)}`));
}
