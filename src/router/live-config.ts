/**
 * The configuration that a router runs by, and how it is exchanged for another while it runs: see reload.ts. It is read
 * again when somebody asks, and when the file has changed; while a reading stands refused, also when one of the files that
 * it names has: a mended certificate brings in what waited for it. One reading at a time.
 */
import { failure, type Log, MatriarchError, rethrowBug, unreachable } from '../base/index.ts';
import { type Config, type RouterConfig, readRouterSetting } from '../config/index.ts';
import { fileStamp, stampOfNamed } from './file-stamp.ts';
import { planReload } from './reload.ts';

/** Where a changed configuration comes from. */
export interface ConfigSource {
  readonly file: string;
  /** Reads and checks the file; rejects with `config-invalid` and its kin, all problems in the message. */
  readonly read: () => Promise<Config>;
  /** Calls `listener` whenever somebody asks for a reload; gives the function that ends that. */
  readonly onRequest: (listener: () => void) => () => void;
}

interface Refused {
  /** What it named, as far as it could be read; with the files' stamps. */
  readonly named: RouterConfig | undefined;
  readonly stamp: string;
}

const LOOK_EVERY_MS = 1000;

export class LiveConfig {
  readonly #log: Log;
  readonly #source: ConfigSource | undefined;
  readonly #listeners = new Set<() => void>();
  #prepare: (next: Config) => () => void = () => () => undefined;
  #whole: Config;
  /** What the file said last. */
  #file: Config;
  /** The last reading was refused. */
  #refused: Refused | undefined = undefined;
  /** As of the last reading. */
  #seen: string;
  #running: Promise<unknown> = Promise.resolve();
  #next: Promise<readonly string[]> | undefined = undefined;

  constructor(config: Config, source: ConfigSource | undefined, log: Log) {
    this.#whole = config;
    this.#file = config;
    this.#source = source;
    this.#log = log;
    this.#seen = this.#stampNow();
  }

  get whole(): Config {
    return this.#whole;
  }

  get router(): RouterConfig {
    return this.#whole.router;
  }

  /** Calls `listener` after each exchange. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** `prepare` reads what the next configuration names, refuses by throwing, and gives what takes it over. */
  onPrepare(prepare: (next: Config) => () => void): void {
    this.#prepare = prepare;
  }

  /** Reads again on request and after changes; gives the function that ends that. */
  follow(): () => void {
    const source = this.#source;
    if (source === undefined) return () => undefined;
    // A refusal is logged, with its reasons.
    const reload = (): void => void this.reload().catch(rethrowBug);
    const unsubscribe = source.onRequest(reload);
    let before = this.#seen;
    const looking = setInterval(() => {
      const now = this.#stampNow();
      // Two looks that agree: a file that is being written is left alone.
      if (now !== this.#seen && now === before) reload();
      before = now;
    }, LOOK_EVERY_MS);
    looking.unref();
    return () => {
      unsubscribe();
      clearInterval(looking);
    };
  }

  /**
   * Takes over what the file says now; gives the keys that changed. Rejects with `config-invalid` and its kin, or with
   * `reload-needs-restart`: then nothing has changed. Who asks while one reading runs shares the next with all others.
   */
  async reload(): Promise<readonly string[]> {
    this.#next ??= this.#readAfter(this.#running);
    return await this.#next;
  }

  async #readAfter(before: Promise<unknown>): Promise<readonly string[]> {
    await before;
    const reading = this.#readAgain();
    this.#running = reading.catch(() => undefined); // told to those who asked
    this.#next = undefined;
    return await reading;
  }

  async #readAgain(): Promise<readonly string[]> {
    if (this.#source === undefined)
      throw new MatriarchError('reload-needs-restart', 'there is no file to read again');
    // Before the reading: what changes during it is read once more.
    const stamp = fileStamp(this.#source.file);
    this.#seen = stamp;
    let named: RouterConfig | undefined;
    try {
      const next = await this.#source.read();
      named = next.router;
      this.#seen = `${stamp}\n${stampOfNamed(named)}`;
      const changed = this.#exchange(next);
      this.#seen = stamp;
      this.#file = next;
      this.#refused = undefined;
      return changed;
    } catch (cause) {
      this.#refuse(named, cause);
      throw cause;
    }
  }

  /** The reasons are told once for the same files. */
  #refuse(named: RouterConfig | undefined, cause: unknown): void {
    const isKnown = this.#refused?.stamp === this.#seen;
    this.#refused = { named, stamp: this.#seen };
    if (isKnown) this.#log.warn('reload-still-refused');
    else this.#log.error('reload-refused', failure(cause));
  }

  /** Of the file, and of those that a refused reading of it named. */
  #stampNow(): string {
    const file = this.#source === undefined ? '' : fileStamp(this.#source.file);
    const named = this.#refused?.named;
    return named === undefined ? file : `${file}\n${stampOfNamed(named)}`;
  }

  /**
   * Sets one key of `router` until the next reload; undefined: to what the file says. Throws `config-invalid` and
   * `reload-needs-restart`: then nothing has changed.
   */
  override(key: string, text: string | undefined): void {
    const found =
      text === undefined ? { value: fieldOf(this.#file.router, key) } : readRouterSetting(key, text);
    if (found === undefined) throw new MatriarchError('config-invalid', `${key} cannot be ${text ?? ''}`);
    this.#exchange({ ...this.#whole, router: { ...this.#whole.router, [key]: found.value } });
  }

  #exchange(next: Config): readonly string[] {
    const plan = planReload(this.#whole, next);
    switch (plan.kind) {
      case 'unchanged':
        this.#log.info('reload-unchanged');
        // The files that it names may have changed all the same.
        this.#prepare(next)();
        return [];
      case 'refused': {
        const keys = plan.needRestart.join(', ');
        throw new MatriarchError('reload-needs-restart', `the router must be restarted for: ${keys}`);
      }
      case 'apply': {
        const takeOver = this.#prepare(next);
        this.#whole = next;
        takeOver();
        for (const listener of this.#listeners) listener();
        this.#log.info('reload-applied', { changed: plan.changed });
        return plan.changed;
      }
    }
    return unreachable(plan);
  }
}

function fieldOf(router: RouterConfig, key: string): unknown {
  return new Map<string, unknown>(Object.entries(router)).get(key);
}
