/**
 * What the database's definitions make of a session's statements: each classification resolved under the search_path that
 * the session has now. After it has changed definitions itself, what hangs on them is for the primary until they were read
 * again; after any client of this router has, what is for the primary anyway may run code that nobody has looked into. Pure.
 */
import {
  type CatalogFacts,
  type Classification,
  type Resolver,
  type Resolvers,
  type SearchPath,
  searchPathOf,
  unresolved,
  withoutCatalog,
} from '../sql/index.ts';
import type { Settings } from './settings.ts';

/** One database's catalogue as it was read last. */
export interface CatalogNow {
  /** Nothing is read of it, and statements are what their texts say. */
  readonly isOff: boolean;
  /** Undefined: nothing was read yet. */
  readonly resolvers: Resolvers | undefined;
  /** How often it was found changed. */
  readonly generation: number;
  /** The last change that what was read has. */
  readonly readUpTo: number;
  /** The last change that a client of this router has made. */
  readonly changes: number;
  /** Definitions were changed by a client: gives the number of the change. */
  readonly changed: () => number;
  /** Something was not as it was read. */
  readonly doubted: () => void;
}

/** Whose definitions these are. */
export interface DefinitionsOptions {
  /** Who the session logged in as. */
  readonly user: string;
  /** The search_path that it has begun with, if not the role's. */
  readonly startPath?: string | undefined;
  /** The role that it has begun in, if not the user's. */
  readonly startRole?: string | undefined;
  /** Its server connections are its own to its end: nobody else gets what is left there. */
  readonly isSessionMode?: boolean;
}

export class Definitions {
  readonly #catalog: CatalogNow;
  readonly #options: DefinitionsOptions;
  #ownChange = 0;
  #resolvers: Resolvers | undefined = undefined;
  #settings: Settings | undefined = undefined;
  #resolver: Resolver | undefined = undefined;

  constructor(catalog: CatalogNow, options: DefinitionsOptions) {
    this.#catalog = catalog;
    this.#options = options;
  }

  /** How often definitions were seen to have changed, by whomever. */
  get generation(): number {
    return this.#catalog.generation;
  }

  /**
   * `types`: oids of those of its parameters that are not built in. `settings` decide about the search_path; undefined: they are
   * not all that does.
   */
  resolve(found: Classification, types: readonly number[], settings: Settings | undefined): Classification {
    const names = found.references ?? found.touches;
    if (names === undefined && types.length === 0) return found;
    if (this.#catalog.isOff) return withoutCatalog(found);
    const { resolvers, readUpTo, changes } = this.#catalog;
    // A trigger that is not known yet leaves its state to the next client; a read that went wrong is put right.
    const isOwn = found.touches === undefined || this.#options.isSessionMode === true;
    const needed = isOwn ? this.#ownChange : changes;
    if (resolvers === undefined || readUpTo < needed) return unresolved(found, types);
    if (settings === undefined) return resolvers.under('any').resolve(found, types);
    if (resolvers !== this.#resolvers || settings !== this.#settings || this.#resolver === undefined) {
      this.#resolvers = resolvers;
      this.#settings = settings;
      this.#resolver = resolvers.under(this.#pathUnder(settings, resolvers.facts));
    }
    return this.#resolver.resolve(found, types);
  }

  /** The session has changed definitions. */
  changed(): void {
    this.#ownChange = this.#catalog.changed();
  }

  /** A standby has refused what was taken for a read. */
  doubted(): void {
    this.#catalog.doubted();
  }

  #pathUnder({ entries, own }: Settings, facts: CatalogFacts): SearchPath {
    const { startRole } = this.#options;
    const isSet = entries.some(({ names }) => names.includes('search_path'));
    const text = isSet
      ? own.get('search_path')
      : (this.#options.startPath ?? facts.startPath(this.#options.user));
    const user = own.get('session_authorization');
    // A change of it ends the role that the session has begun in.
    const role = own.get('role') ?? (user === undefined ? startRole : 'none');
    if (role === undefined && facts.mayStartInRole(this.#options.user))
      return searchPathOf({ text, role: undefined });
    const isOwn = role === undefined || role === 'none';
    return searchPathOf({ text, role: isOwn ? (user ?? this.#options.user) : role });
  }
}
