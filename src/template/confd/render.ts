/**
 * Rendering a template of confd: its text, the store and the world go in, and bytes come out, or what is wrong, or what
 * must be looked up first. Pure: the same inputs give the same outcome.
 */
import type { Cluster } from '../cluster/cluster.ts';
import { clusterFunctions } from '../cluster/functions.ts';
import { fromText, toText } from '../go/bytes.ts';
import { Refusal, TemplateError } from '../go/errors.ts';
import { Bounds } from '../go/execution.ts';
import type { Functions, GoFunction } from '../go/function.ts';
import { execute, parseTemplate } from '../go/template.ts';
import { Time } from '../go/time.ts';
import {
  ANY,
  Pointer,
  SizedInt,
  Slice,
  STRING,
  stringOf,
  Struct,
  sliceOf,
  type Type,
  UINT16,
  unbox,
  type Value,
} from '../go/values.ts';
import {
  getenvFunction,
  ofWorld,
  storeFunctions,
  TEXT_FUNCTIONS,
  timeFunction,
  VALUE_FUNCTIONS,
} from './functions.ts';
import { cleanPath } from './path.ts';
import type { Store } from './store.ts';
import type { Question, ServiceRecord, World } from './world.ts';

export type Rendered =
  | { readonly outcome: 'rendered'; readonly bytes: Buffer }
  | { readonly outcome: 'failed'; readonly error: TemplateError }
  /** To be answered by the world before the template is rendered again. */
  | { readonly outcome: 'asks'; readonly questions: readonly Question[] };

export interface RenderRequest {
  /** As complaints call it: the name of the file. */
  readonly name: string;
  /** The text of the file, as bytes. */
  readonly source: string;
  readonly store: Store;
  readonly world: World;
  /** Or why there is none to be known. */
  readonly cluster: Cluster | string;
  readonly outputBytesMax: number;
  /** What the file is now, as bytes; for `slots`. */
  readonly inPlace?: string;
  /** What `.` is at the top; confd has nothing there. */
  readonly dot?: Value;
}

export function render(request: RenderRequest): Rendered {
  const rendering = new Rendering(request);
  try {
    const output = rendering.run();
    // What was rendered without an answer is worth nothing, nor is a complaint about it.
    if (rendering.questions.length > 0) return { outcome: 'asks', questions: rendering.questions };
    return { outcome: 'rendered', bytes: Buffer.from(output, 'latin1') };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    if (rendering.questions.length > 0) return { outcome: 'asks', questions: rendering.questions };
    return { outcome: 'failed', error };
  }
}

const INCLUDES_MAX = 10;

class Rendering {
  readonly questions: Question[] = [];
  readonly #request: RenderRequest;
  readonly #bounds: Bounds;
  readonly #functions: Functions;
  /** Templates being included, from the outermost. */
  readonly #including: string[] = [];

  constructor(request: RenderRequest) {
    this.#request = request;
    this.#bounds = new Bounds(request.outputBytesMax);
    this.#functions = new Map(
      Object.entries({
        ...TEXT_FUNCTIONS,
        ...VALUE_FUNCTIONS,
        ...storeFunctions(request.store),
        ...this.#worldFunctions(request.world),
        ...clusterFunctions(() => {
          if (typeof request.cluster === 'string') throw new Refusal(request.cluster);
          return request.cluster;
        }, request.inPlace ?? ''),
      }),
    );
  }

  run(): string {
    const { name, source, dot } = this.#request;
    return execute(parseTemplate(name, source, this.#functions), dot, this.#bounds);
  }

  #worldFunctions(world: World): Record<string, GoFunction> {
    const addresses = (host: string): readonly string[] =>
      this.#answer({ kind: 'ip', host }, world.addresses).toSorted();
    return {
      getenv: getenvFunction(world.environment),
      datetime: timeFunction(() => new Time(world.now())),
      hostname: { params: [], call: () => fromText(world.hostname()) },
      fileExists: ofWorld(world.fileExists),
      lookupIP: ofWorld(addresses),
      lookupIPV4: ofWorld((host) => addresses(host).filter(isIpv4)),
      lookupIPV6: ofWorld((host) => addresses(host).filter((address) => !isIpv4(address))),
      lookupIfaceIPV4: ofWorld((name) => world.interfaceAddresses(name).find(isIpv4) ?? ''),
      lookupIfaceIPV6: ofWorld(
        (name) => world.interfaceAddresses(name).find((address) => !isIpv4(address)) ?? '',
      ),
      lookupSRV: { params: [STRING, STRING, STRING], call: (args) => this.#services(world, args) },
      include: {
        params: [STRING],
        variadic: ANY,
        call: ([name, data]) => this.#include(stringOf(name), data),
      },
    };
  }

  #answer<Asked extends Question, Answer>(
    question: Asked,
    known: (question: Asked) => readonly Answer[] | undefined,
  ): readonly Answer[] {
    const answer = known(question);
    const isNew = !this.questions.some((asked) => isSameQuestion(asked, question));
    if (answer === undefined && isNew) this.questions.push(question);
    return answer ?? [];
  }

  #services(world: World, args: readonly Value[]): Slice {
    const [service = '', protocol = '', domain = ''] = args.map((arg) => toText(stringOf(arg)));
    const records = this.#answer({ kind: 'srv', service, protocol, domain }, world.services);
    const sorted = records.toSorted((a, b) => (order(a) < order(b) ? -1 : order(a) > order(b) ? 1 : 0));
    return new Slice(SERVICES, sorted.map(serviceRecord));
  }

  #include(name: string, data: Value): string {
    const path = cleanPath(name);
    if (path.startsWith('/') || path.startsWith('.'))
      throw new Refusal(`include path "${name}" is outside template directory`);
    if (this.#including.includes(path))
      throw new Refusal(`include cycle detected: ${path} is already being processed`);
    if (this.#including.length >= INCLUDES_MAX)
      throw new Refusal(`maximum include depth (${INCLUDES_MAX}) exceeded`);
    const source = this.#request.world.template(toText(path));
    if (source === undefined) throw new Refusal(`include ${name}: no such template`);
    this.#including.push(path);
    let doing = 'parse';
    try {
      const template = parseTemplate(toText(path), source, this.#functions);
      doing = 'execute';
      return execute(template, unbox(data), this.#bounds);
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      throw new Refusal(`${doing} include ${name}: ${fromText(error.message)}`, error.key);
    } finally {
      this.#including.pop();
    }
  }
}

const SERVICE: Type = { kind: 'struct', name: 'net.SRV', fields: ['Target', 'Port', 'Priority', 'Weight'] };
const SERVICES = sliceOf({ kind: 'pointer', name: '*net.SRV', elem: SERVICE });

/** Alphabetic, so that the order in which a server gives them changes nothing. */
function order({ target, port, priority, weight }: ServiceRecord): string {
  return `${target}${port}${priority}${weight}`;
}

function serviceRecord({ target, port, priority, weight }: ServiceRecord): Pointer {
  const numbers = [port, priority, weight].map((number) => new SizedInt(UINT16, BigInt(number)));
  return new Pointer(new Struct(SERVICE, [fromText(target), ...numbers]));
}

function isSameQuestion(a: Question, b: Question): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function isIpv4(address: string): boolean {
  return !address.includes(':');
}
