/** The configuration that a router runs by, and how it is exchanged for another while it runs: see reload.ts. */
import { failure, type Log, MatriarchError, unreachable } from '../base/index.ts';
import type { Config, RouterConfig } from '../config/index.ts';
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
  #whole: Config;

  constructor(config: Config, source: ConfigSource | undefined, log: Log) {
    this.#whole = config;
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

  /**
   * Takes over what the file says now; gives the keys that changed. Rejects with `config-invalid` and its kin, or with
   * `reload-needs-restart`: then nothing has changed.
   */
  async reload(): Promise<readonly string[]> {
    if (this.#read === undefined)
      throw new MatriarchError('reload-needs-restart', 'there is no file to read again');
    try {
      return this.#exchange(await this.#read());
    } catch (cause) {
      this.#log.error('reload-refused', failure(cause));
      throw cause;
    }
  }

  #exchange(next: Config): readonly string[] {
    const plan = planReload(this.#whole, next);
    switch (plan.kind) {
      case 'unchanged':
        return [];
      case 'refused': {
        const keys = plan.needRestart.join(', ');
        throw new MatriarchError('reload-needs-restart', `the router must be restarted for: ${keys}`);
      }
      case 'apply':
        this.#whole = next;
        for (const listener of this.#listeners) listener();
        this.#log.info('reload-applied', { changed: plan.changed });
        return plan.changed;
    }
    return unreachable(plan);
  }
}
