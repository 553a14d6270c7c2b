/**
 * The catalogues of the databases that clients use, one reader each, from the first client to a while after the last. What is
 * in them decides which statements only read: see sql/resolve.ts.
 */
import type { Clock, Log } from '../base/index.ts';
import type { Sample } from '../metrics/index.ts';
import { DatabaseCatalog, type DatabaseCatalogOptions } from './database-catalog.ts';
import type { CatalogNow } from './definitions.ts';

export interface CatalogsOptions extends Pick<DatabaseCatalogOptions, 'members' | 'forgetCredential'> {
  readonly clock: Clock;
  readonly log: Log;
  /** How often each is asked whether it has changed; 0: none is read. */
  readonly pollMs: () => number;
  readonly open: (database: string) => DatabaseCatalogOptions['open'];
}

/** A database without clients is not forgotten at once: they may come back. */
const IDLE_MS = 60_000;
const LOOK_EVERY_MS = 250;

/** Where none is read, texts alone say what statements are. */
export const BY_TEXTS: CatalogNow = {
  isOff: true,
  resolvers: undefined,
  generation: 0,
  readUpTo: 0,
  changes: 0,
  changed: () => 0,
  doubted: () => undefined,
};

export class Catalogs {
  readonly #options: CatalogsOptions;
  readonly #byDatabase = new Map<string, DatabaseCatalog>();
  readonly #timer: NodeJS.Timeout;
  #polledAt: number;

  constructor(options: CatalogsOptions) {
    this.#options = options;
    this.#polledAt = options.clock.now();
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  get all(): Iterable<DatabaseCatalog> {
    return this.#byDatabase.values();
  }

  /** A session comes to a database, by its name at the servers; it is read if it is not. */
  join(database: string): Membership {
    if (this.#options.pollMs() === 0) return { now: BY_TEXTS, ready: undefined, leave: () => undefined };
    let catalog = this.#byDatabase.get(database);
    if (catalog === undefined) {
      const { clock, log, members, forgetCredential } = this.#options;
      catalog = new DatabaseCatalog(database, {
        clock,
        log,
        members,
        forgetCredential,
        open: this.#options.open(database),
      });
      this.#byDatabase.set(database, catalog);
      catalog.look();
    }
    catalog.sessions += 1;
    return { now: catalog, ready: catalog.firstReading, leave: once(() => this.#left(catalog)) };
  }

  /** What could not be read may be by now: the cluster or the settings are others. */
  retry(): void {
    for (const catalog of this.#byDatabase.values()) if (catalog.trouble !== undefined) catalog.look();
  }

  close(): void {
    clearInterval(this.#timer);
    for (const catalog of this.#byDatabase.values()) catalog.close();
    this.#byDatabase.clear();
  }

  samples(): Sample[] {
    const now = this.#options.clock.now();
    return Array.from(this.#byDatabase.values()).flatMap(({ database, generation, checkedAt }): Sample[] => [
      { name: 'matriarch_router_catalog_generation', labels: { database }, value: generation },
      ...(checkedAt === undefined
        ? []
        : [
            {
              name: 'matriarch_router_catalog_age_seconds',
              labels: { database },
              value: (now - checkedAt) / 1000,
            } as const,
          ]),
    ]);
  }

  #left(catalog: DatabaseCatalog): void {
    catalog.sessions -= 1;
    catalog.idleSince = this.#options.clock.now();
  }

  #look(): void {
    const { clock, pollMs } = this.#options;
    const now = clock.now();
    const everyMs = pollMs();
    for (const catalog of Array.from(this.#byDatabase.values())) {
      const isIdle = catalog.sessions === 0 && now - catalog.idleSince >= IDLE_MS;
      if (!isIdle) continue;
      catalog.close();
      this.#byDatabase.delete(catalog.database);
    }
    if (everyMs === 0 || now - this.#polledAt < everyMs) return;
    this.#polledAt = now;
    for (const catalog of this.#byDatabase.values()) catalog.look();
  }
}

/** What a session has of its database's catalogue. */
export interface Membership {
  readonly now: CatalogNow;
  /** The first reading is under way. */
  readonly ready: Promise<void> | undefined;
  readonly leave: () => void;
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    work();
  };
}
