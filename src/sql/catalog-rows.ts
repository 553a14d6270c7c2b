/** What is read of a database's catalogue, as values: see catalog-facts.ts for what it means. */
export interface CatalogRows {
  readonly schemas: readonly { readonly name: string; readonly isOpen: boolean }[];
  /** Not those of PostgreSQL's own, nor procedures. */
  readonly functions: readonly {
    readonly key: string;
    readonly schema: string;
    readonly name: string;
    readonly args: number;
    readonly defaults: number;
    readonly isVariadic: boolean;
    readonly takesRow: boolean;
    readonly isVolatile: boolean;
    /** Written in a language that can do anything, whatever is declared. */
    readonly isCode: boolean;
  }[];
  /** All but those of the sessions. `kind` is `pg_class.relkind`. */
  readonly relations: readonly {
    readonly key: string;
    readonly schema: string;
    readonly name: string;
    readonly kind: string;
    readonly isUnlogged: boolean;
    /** A view that is FOR UPDATE or the like. */
    readonly locksRows: boolean;
  }[];
  readonly types: readonly { readonly key: string; readonly schema: string; readonly name: string }[];
  /** Of PostgreSQL's own the names only, with no key. */
  readonly operators: readonly {
    readonly key: string;
    readonly schema: string;
    readonly name: string;
    readonly operands: readonly string[];
  }[];
  /** By the function that does it: the types that a statement must have to do with for it to happen, and one that writes. */
  readonly casts: readonly {
    readonly key: string;
    readonly needs: readonly string[];
    readonly needsInWrites: readonly string[];
  }[];
  /** From what to what one comes by using it. */
  readonly edges: readonly (readonly [from: string, to: string])[];
  /** What calls a function of PostgreSQL's own that does not only read. */
  readonly calls: readonly (readonly [key: string, name: string])[];
  /** What calls a function of PostgreSQL's own that leaves something in the session, when it is written to or called. */
  readonly leaveState: readonly string[];
  /** What new sessions begin with, by role, '' for those that are not listed; of several for one the first holds. */
  readonly starts: readonly {
    readonly role: string;
    readonly name: 'search_path' | 'role';
    readonly text: string;
  }[];
}

export const NO_ROWS: CatalogRows = {
  schemas: [],
  functions: [],
  relations: [],
  types: [],
  operators: [],
  casts: [],
  edges: [],
  calls: [],
  leaveState: [],
  starts: [],
};
