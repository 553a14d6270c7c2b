/**
 * Cancels on their way to servers. A cancel names a server process, not a statement, and goes its own way: one that
 * arrives late would end whatever that process does then. So that it never hits another client:
 *
 * - A connection with a cancel on its way is lent to nobody until the server has closed the cancel's connection, which
 *   it does after it has signalled the process (manual: "Canceling Requests in Progress").
 * - A cancel that was written, and whose connection ended in any other way (our patience, a reset), may still be read
 *   from the server's backlog at any time: its fate is in doubt, and the connection it was for is closed for good.
 *   Its process ends with it, so that the late cancel names nobody.
 * - One that was never written cannot arrive.
 *
 * Several cancels of one statement do no more than one: beyond a few on their way they are dropped.
 *
 * Who asked for a cancel is told when none is on its way any more: until then the client's next statement could be hit,
 * which libpq, for one, avoids by waiting until the connection of its cancel is closed. One cancel can be two signals,
 * a little apart (PostgreSQL up to 17, `signal_child`), so it does not help that the statement has ended.
 */
import type { CancelEnd } from './cancel.ts';

const ON_THEIR_WAY_MAX = 4;

/** Of connections to servers, whatever stands for them. */
export interface CancellingOptions<Connection> {
  /** Sends one cancel for what the connection does; `ended` is called once, later or at once. */
  readonly send: (connection: Connection, ended: (how: CancelEnd) => void) => void;
  /** The connection came back while a cancel was on its way, and is fit for anybody now. */
  readonly fit: (connection: Connection) => void;
  /** A late cancel could still hit the connection. */
  readonly unfit: (connection: Connection) => void;
}

interface OnTheirWay {
  count: number;
  readonly told: (() => void)[];
}

export class Cancelling<Connection> {
  readonly #options: CancellingOptions<Connection>;
  readonly #onTheirWay = new Map<Connection, OnTheirWay>();
  readonly #cameBack = new Set<Connection>();
  readonly #inDoubt = new Set<Connection>();

  constructor(options: CancellingOptions<Connection>) {
    this.#options = options;
  }

  /** `ended` is called once: when no cancel is on its way to the connection any more. */
  cancel(connection: Connection, ended: () => void): void {
    const cancels = this.#onTheirWay.get(connection) ?? { count: 0, told: [] };
    cancels.told.push(ended);
    if (cancels.count >= ON_THEIR_WAY_MAX) return;
    cancels.count += 1;
    this.#onTheirWay.set(connection, cancels);
    this.#options.send(connection, (how) => this.#ended(connection, how));
  }

  /** The connection comes back from its client. True: it is seen to here, now or once its cancels have ended. */
  keeps(connection: Connection): boolean {
    if (this.#onTheirWay.has(connection)) {
      this.#cameBack.add(connection);
      return true;
    }
    if (!this.#inDoubt.has(connection)) return false;
    this.#options.unfit(connection);
    return true;
  }

  /** The connection is closed. */
  forget(connection: Connection): void {
    const cancels = this.#onTheirWay.get(connection);
    this.#onTheirWay.delete(connection);
    tell(cancels);
    this.#cameBack.delete(connection);
    this.#inDoubt.delete(connection);
  }

  #ended(connection: Connection, how: CancelEnd): void {
    const cancels = this.#onTheirWay.get(connection);
    // The connection was closed meanwhile.
    if (cancels === undefined) return;
    if (how === 'in-doubt') this.#inDoubt.add(connection);
    cancels.count -= 1;
    if (cancels.count > 0) return;
    this.#onTheirWay.delete(connection);
    tell(cancels);
    if (!this.#cameBack.delete(connection)) return;
    if (this.#inDoubt.has(connection)) this.#options.unfit(connection);
    else this.#options.fit(connection);
  }
}

function tell(cancels: OnTheirWay | undefined): void {
  for (const ended of cancels?.told ?? []) ended();
}
