/** Vectors of what Go prints for templates, and what our engine makes of one, in forms that can be compared. */
import { isRecord } from '../../src/base/index.ts';
import { PAIR, PAIRS } from '../../src/template/confd/functions.ts';
import { fromText } from '../../src/template/go/bytes.ts';
import type { Instant } from '../../src/template/go/time.ts';
import {
  ANY_MAP,
  ANY_SLICE,
  GoMap,
  type Held,
  mapOf,
  Slice,
  STRING,
  STRING_SLICE,
  Struct,
} from '../../src/template/go/values.ts';
import { render, Store, type World } from '../../src/template/index.ts';

/** One line of the file: what is asked, and what Go answered. Its README says what the fields mean. */
export interface Vector {
  readonly of?: string;
  readonly template?: string;
  readonly template_base64?: string;
  readonly data?: unknown;
  readonly store?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly hosts?: Readonly<Record<string, readonly string[]>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly now?: string;
  readonly zone?: string;
  readonly output?: string;
  readonly output_base64?: string;
  readonly error?: string;
}

const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

/** What Go made of it: the bytes of the output, or the error. */
export function expectedOf({ output = '', output_base64: base64, error }: Vector): string {
  if (error !== undefined) return `error: ${error}`;
  return base64 === undefined ? fromText(output) : Buffer.from(base64, 'base64').toString('latin1');
}

/** What our engine makes of it, in the same form. */
export function renderedOf(vector: Vector): string {
  const { template = '', template_base64: base64, data, store = {} } = vector;
  const rendered = render({
    name: 't',
    source: base64 === undefined ? fromText(template) : Buffer.from(base64, 'base64').toString('latin1'),
    store: storeOf(store),
    world: worldOf(vector),
    cluster: 'no cluster',
    outputBytesMax: OUTPUT_BYTES_MAX,
    dot: dataOf(data),
  });
  if (rendered.outcome === 'rendered') return rendered.bytes.toString('latin1');
  return rendered.outcome === 'failed' ? `error: ${rendered.error.message}` : 'asks';
}

/** A store of texts. */
export function storeOf(pairs: Readonly<Record<string, string>>): Store {
  return new Store(new Map(Object.entries(pairs).map(([key, value]) => [fromText(key), fromText(value)])));
}

/** A world that is what a vector says, and empty otherwise. */
export function worldOf({
  env = {},
  hosts = {},
  files = {},
  now = '1970-01-01T00:00:00Z',
  zone = 'UTC',
}: Vector = {}): World {
  return {
    environment: (name) => env[name] ?? '',
    now: () => instantOf(now, zone),
    hostname: () => 'host.example',
    fileExists: (path) => files[path] !== undefined,
    interfaceAddresses: () => [],
    template: (name) => (files[name] === undefined ? undefined : fromText(files[name])),
    addresses: ({ host }) => hosts[host] ?? [],
    services: () => [],
  };
}

function instantOf(text: string, name: string): Instant {
  const [, fraction = '', sign = '+', hours = '0', minutes = '0'] =
    /(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))$/.exec(text) ?? [];
  const offset = (Number(hours) * 60 + Number(minutes)) * 60;
  return {
    epochMs: Date.parse(text),
    nanos: Number(fraction.padEnd(9, '0').slice(3)),
    zone: () => ({ offsetSeconds: sign === '-' ? -offset : offset, name }),
  };
}

/** JSON with `{"$int": 3}` and kin, as values. */
function dataOf(plain: unknown): Held {
  if (Array.isArray(plain)) return new Slice(ANY_SLICE, plain.map(dataOf));
  if (typeof plain === 'string') return fromText(plain);
  if (!isRecord(plain)) return typeof plain === 'number' || typeof plain === 'boolean' ? plain : undefined;
  const entries = Object.entries(plain);
  const [tag = '', content] = entries[0] ?? [];
  const special = entries.length === 1 ? TAGS[tag] : undefined;
  return special === undefined ? new GoMap(ANY_MAP, heldEntries(plain)) : special(content);
}

const heldEntries = (plain: unknown): Map<string, Held> =>
  new Map(Object.entries(isRecord(plain) ? plain : {}).map(([key, value]) => [fromText(key), dataOf(value)]));
const listOf = (content: unknown): unknown[] => (Array.isArray(content) ? content : []);

const TAGS: Readonly<Record<string, (content: unknown) => Held>> = {
  $int: (content) => BigInt(Number(content)),
  $strings: (content) => new Slice(STRING_SLICE, listOf(content).map(dataOf)),
  $kvs: (content) =>
    new Slice(
      PAIRS,
      listOf(content).map((pair) => new Struct(PAIR, listOf(pair).map(dataOf))),
    ),
  $texts: (content) => new GoMap(mapOf(STRING), heldEntries(content)),
};
