/**
 * What a client has heard outside of its answers: parameters, of which it is told only what differs from what it
 * last heard, and notifications, which must not fall into the middle of another server's message. Pure.
 */
import { ParameterStatus } from '../wire/index.ts';
import { APPLICATION_NAME, HOT_STANDBY, type ServerParameters } from './server-parameters.ts';
import type { SessionEffects } from './session-types.ts';

/** Messages kept while another server's answer is on its way; more are dropped. */
const LATER_MAX = 1000;

export class ClientEar {
  readonly #effects: Pick<SessionEffects, 'toClient'>;
  readonly #heard = new Map<string, string>();
  /** Key of the parameters that it was last compared with. */
  #key = '';
  #later: Buffer[] = [];

  constructor(effects: Pick<SessionEffects, 'toClient'>) {
    this.#effects = effects;
  }

  /** What the client was last told that a setting of its session is. */
  heard(name: string): string | undefined {
    return this.#heard.get(name);
  }

  /** The parameters of the first server connection. */
  tellFirst({ values, key }: ServerParameters): void {
    this.#key = key;
    for (const [name, value] of values) {
      const told = name === HOT_STANDBY ? 'off' : value;
      this.#heard.set(name, told);
      this.#effects.toClient(ParameterStatus(name, told));
    }
  }

  /** It knows all that this server would tell it. */
  knows({ key }: ServerParameters): boolean {
    return key === this.#key;
  }

  /** A server that answers it: what differs from what the client knows is told before it may rely on it. */
  meet({ values, key }: ServerParameters): void {
    if (key === this.#key) return;
    this.#key = key;
    for (const [name, value] of values) if (name !== APPLICATION_NAME) this.parameter(name, value);
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
