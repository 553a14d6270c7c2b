/**
 * What a client has heard outside of its answers: parameters, of which it is told only what differs from what it
 * last heard, and notifications, which must not fall into the middle of another server's message. Pure.
 */
import { ParameterStatus } from '../wire/index.ts';
import type { SessionEffects } from './session-types.ts';

/** Reported as `off` always: the session as a whole can write, whichever server answers. */
const HOT_STANDBY = 'in_hot_standby';
/** Messages kept while another server's answer is on its way; more are dropped. */
const LATER_MAX = 1000;

export class ClientEar {
  readonly #effects: Pick<SessionEffects, 'toClient'>;
  readonly #heard = new Map<string, string>();
  #later: Buffer[] = [];

  constructor(effects: Pick<SessionEffects, 'toClient'>) {
    this.#effects = effects;
  }

  /** The parameters of the first server connection. */
  tellFirst(parameters: ReadonlyMap<string, string>): void {
    for (const [name, value] of parameters) {
      const told = name === HOT_STANDBY ? 'off' : value;
      this.#heard.set(name, told);
      this.#effects.toClient(ParameterStatus(name, told));
    }
  }

  parameter(name: string, value: string): void {
    if (name === HOT_STANDBY || this.#heard.get(name) === value) return;
    this.#heard.set(name, value);
    this.#effects.toClient(ParameterStatus(name, value));
  }

  /** A notice or notification: now if it `fits` between messages, else when the running unit is answered. */
  tell(message: Buffer, fits: boolean): void {
    if (fits) this.#effects.toClient(message);
    else if (this.#later.length < LATER_MAX) this.#later.push(Buffer.from(message));
  }

  tellLater(): void {
    if (this.#later.length === 0) return;
    for (const message of this.#later) this.#effects.toClient(message);
    this.#later = [];
  }
}
