/**
 * The parts of `libpg-query/wasm/libpg-query.js` (Emscripten's loader, which ships without types) and of
 * WebAssembly (which @types/node 20 does not declare) that `grammar.ts` uses.
 */
declare module 'libpg-query/wasm/libpg-query.js' {
  interface PgQueryInstance {
    _malloc(bytes: number): number;
    _free(pointer: number): void;
    _wasm_parse_query_raw(text: number): number;
    _wasm_free_parse_result(result: number): void;
    getValue(pointer: number, type: 'i32'): number;
    UTF8ToString(pointer: number): string;
    stringToUTF8(text: string, pointer: number, bytesMax: number): void;
  }
  interface PgQueryFactoryOptions {
    readonly instantiateWasm: (imports: object, receive: (instance: WebAssembly.Instance) => void) => void;
    readonly print: (line: string) => void;
    readonly printErr: (line: string) => void;
  }
  function createInstance(options: PgQueryFactoryOptions): Promise<PgQueryInstance>;
  export = createInstance;
}

declare namespace WebAssembly {
  type Module = object;
  type Instance = object;
  const Instance: new (module: Module, imports: object) => Instance;
  function compile(bytes: Uint8Array): Promise<Module>;
}
