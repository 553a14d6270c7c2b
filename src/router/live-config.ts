/** The configuration that a router runs by, and how it is exchanged for another while it runs: see reload.ts. */
import { failure, type Log, MatriarchError, unreachable } from '../base/index.ts';
import { type Config, type RouterConfig, readRouterSetting } from '../config/index.ts';
import { planReload } from './reload.ts';

/** Where a changed configuration comes from. */
export interface ConfigSource {
  /** Reads and checks the file; rejects with `config-invalid` and its kin, all problems in the message. */
  readonly read: () => Promise<Config>;
  /** Calls `listener` whenever somebody asks for a reload; gives the function that ends that. */
  readonly onRequest: (listener: () => void) => () => void;
}

export class LiveConfig {
  readonly #log: Log;
  readonly #read: (() => Promise<Config>) | undefined;
  readonly #listeners = new Set<() => void>();
  #prepare: (next: Config) => () => void = () => () => undefined;
  #whole: Config;
  /** What the file said last. */
  #file: Config;

  constructor(config: Config, source: ConfigSource | undefined, log: Log) {
    this.#whole = config;
    this.#file = config;
    this.#read = source?.read;
    this.#log = log;
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

  /**
   * Takes over what the file says now; gives the keys that changed. Rejects with `config-invalid` and its kin, or with
   * `reload-needs-restart`: then nothing has changed.
   */
  async reload(): Promise<readonly string[]> {
    if (this.#read === undefined)
      throw new MatriarchError('reload-needs-restart', 'there is no file to read again');
    try {
      const next = await this.#read();
      const changed = this.#exchange(next);
      this.#file = next;
      return changed;
    } catch (cause) {
      this.#log.error('reload-refused', failure(cause));
      throw cause;
    }
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
