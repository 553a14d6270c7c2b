/**
 * PostgreSQL's own grammar, as WebAssembly (libpg-query), owned so that no text can break it for good.
 *
 * The trap: a text nested some 7,000 levels deep overflows the stack inside the instance, which never
 * unwinds it; after some thirty such texts every later parse fails. So: texts too long or too dense are not the
 * grammar's to parse (see `classifier.ts`), any failure but an error of SQL ends the instance, and a spare one
 * takes its place at once while the next is made. With none left (for some 20 ms) `parse` says so.
 */
// oxlint-disable no-underscore-dangle -- the names of the instance's functions are Emscripten's
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import createInstance from 'libpg-query/wasm/libpg-query.js';

type Instance = Awaited<ReturnType<typeof createInstance>>;

/** `tree` is the value of libpg-query's JSON: an object with `stmts`. `unready` means: ask again later. */
export type ParseOutcome =
  | { readonly outcome: 'parsed'; readonly tree: unknown }
  | { readonly outcome: 'refused' }
  | { readonly outcome: 'unready' };

/** Offsets in the C struct a parse returns: three pointers (tree, captured stderr, error). */
const TREE_OFFSET = 0;
const ERROR_OFFSET = 8;

/** Loads and compiles the grammar once and makes its first instances. Fails if the package is not whole. */
export async function loadGrammar(): Promise<Grammar> {
  const path = createRequire(import.meta.url).resolve('libpg-query/wasm/libpg-query.wasm');
  const module = await WebAssembly.compile(await readFile(path));
  const grammar = new Grammar(module);
  await grammar.refill();
  return grammar;
}

/** One grammar for the process: it has identity because its instances hold memory and can break. */
export class Grammar {
  readonly #module: WebAssembly.Module;
  #instances: Instance[] = [];
  #refilling: Promise<void> | undefined;
  #lost = 0;

  constructor(module: WebAssembly.Module) {
    this.#module = module;
  }

  /** Instances that broke so far. */
  get lost(): number {
    return this.#lost;
  }

  /** Parses one text. Never throws. */
  parse(sql: string): ParseOutcome {
    const instance = this.#instances[0];
    if (instance === undefined) {
      this.#refillInBackground();
      return { outcome: 'unready' };
    }
    try {
      return parseWith(instance, sql);
    } catch {
      // Not an error of SQL (those are values): the instance's stack or memory is no longer to be trusted.
      this.#lost += 1;
      this.#instances.shift();
      this.#refillInBackground();
      return { outcome: 'refused' };
    }
  }

  /** Resolves when there are an instance and a spare. Rejects if none can be made; the next `parse` tries again. */
  async refill(): Promise<void> {
    this.#refilling ??= this.#fill().finally(() => {
      this.#refilling = undefined;
    });
    await this.#refilling;
  }

  async #fill(): Promise<void> {
    while (this.#instances.length < INSTANCES) this.#instances.push(await instantiate(this.#module));
  }

  #refillInBackground(): void {
    // A failure is not lost: with no instance, each parse answers `unready` and tries again.
    this.refill().catch(() => undefined);
  }
}

/** One in use and one spare: an instance reserves 128 MB of addresses but touches little until used. */
const INSTANCES = 2;

async function instantiate(module: WebAssembly.Module): Promise<Instance> {
  return createInstance({
    instantiateWasm: (imports, receive) => receive(new WebAssembly.Instance(module, imports)),
    print: ignore,
    printErr: ignore,
  });
}

/** The grammar writes to the process's own streams when it aborts; what matters reaches us as a throw. */
function ignore(): void {}

/** Throws for anything but an error of SQL; then nothing is freed, since the instance is given up whole. */
function parseWith(instance: Instance, sql: string): ParseOutcome {
  const bytes = Buffer.byteLength(sql) + 1;
  const text = instance._malloc(bytes);
  if (text === 0) throw new Error('the grammar is out of memory');
  instance.stringToUTF8(sql, text, bytes);
  const result = instance._wasm_parse_query_raw(text);
  instance._free(text);
  if (result === 0) throw new Error('the grammar is out of memory');

  const json = readTree(instance, result);
  instance._wasm_free_parse_result(result);
  if (json === undefined) return { outcome: 'refused' };
  const tree: unknown = JSON.parse(json);
  return { outcome: 'parsed', tree };
}

function readTree(instance: Instance, result: number): string | undefined {
  if (instance.getValue(result + ERROR_OFFSET, 'i32') !== 0) return undefined;
  const tree = instance.getValue(result + TREE_OFFSET, 'i32');
  if (tree === 0) throw new Error('the grammar gave neither a tree nor an error');
  return instance.UTF8ToString(tree);
}
