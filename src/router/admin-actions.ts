/** Carries out what an administrator orders; what an order means stands at its type (admin/orders.ts). */
import type { AdminActions, AdminFacts, AdminOrder, OrderOutcome } from '../admin/index.ts';
import { background, MatriarchError, unreachable } from '../base/index.ts';
import { SQLSTATE } from '../wire/index.ts';
import type { Listener } from './listener.ts';
import { REPLY } from './replies.ts';
import type { ServerPool } from './servers.ts';
import type { Shared } from './shared.ts';

const LOOK_EVERY_MS = 50;
const DONE: OrderOutcome = { kind: 'done' };

export class RouterAdmin implements AdminActions {
  readonly #shared: Shared;
  readonly #listener: Listener;
  readonly #stop: () => void;
  readonly #waits = new Set<NodeJS.Timeout>();
  #state: AdminFacts['state'] = 'active';

  /** `stop` ends the router in order. */
  constructor(shared: Shared, listener: Listener, stop: () => void) {
    this.#shared = shared;
    this.#listener = listener;
    this.#stop = stop;
  }

  get state(): AdminFacts['state'] {
    return this.#state;
  }

  readonly perform = (order: AdminOrder, done: (outcome: OrderOutcome) => void): void => {
    const { servers, live, log } = this.#shared;
    switch (order.kind) {
      case 'pause':
        this.#pause(order.database);
        this.#when(
          order.database,
          ({ pool }) => pool.lent === 0 && pool.opening === 0,
          () => {
            servers.reconnect(order.database);
            done(DONE);
          },
        );
        return;
      case 'resume':
        this.#resume(order.database);
        return done(DONE);
      case 'reconnect':
        servers.reconnect(order.database);
        return done(DONE);
      case 'kill':
        this.#pause(order.database);
        this.#listener.endClients(REPLY.killed(), ({ startUp }) => isOf(order.database, startUp.database));
        servers.reconnect(order.database);
        this.#when(
          order.database,
          ({ pool }) => pool.size === 0,
          () => done(DONE),
        );
        return;
      case 'wait_close':
        this.#when(
          order.database,
          ({ pool }) => !pool.hasOld,
          () => done(DONE),
        );
        return;
      case 'disable':
      case 'enable':
        this.#listener.disable(order.database, order.kind === 'disable');
        return done(DONE);
      case 'kill-client':
        this.#listener.endClients(REPLY.killed(), ({ processId }) => processId === order.id);
        return done(DONE);
      case 'reload':
        background(log, 'RELOAD', this.#reload(done));
        return;
      case 'suspend':
        this.#state = 'suspended';
        this.#listener.suspend(true);
        return done(DONE);
      case 'shutdown':
        this.#shutdown(order.mode);
        return done(DONE);
      case 'set':
        try {
          live.override(order.key, order.value);
          done(DONE);
        } catch (cause) {
          done(failed(cause));
        }
        return;
    }
    return unreachable(order);
  };

  /** Nobody waits any more. */
  close(): void {
    for (const wait of this.#waits) clearInterval(wait);
    this.#waits.clear();
  }

  async #reload(done: (outcome: OrderOutcome) => void): Promise<void> {
    let outcome = DONE;
    try {
      await this.#shared.live.reload();
    } catch (cause) {
      outcome = failed(cause);
    }
    done(outcome);
  }

  #pause(database: string | undefined): void {
    if (database === undefined) this.#state = 'paused';
    this.#shared.servers.pause(database);
  }

  #resume(database: string | undefined): void {
    if (database === undefined) {
      this.#listener.suspend(false);
      this.#state = 'active';
    }
    this.#shared.servers.resume(database);
  }

  #shutdown(mode: Extract<AdminOrder, { kind: 'shutdown' }>['mode']): void {
    switch (mode) {
      case 'now':
        this.#listener.destroy();
        this.#stop();
        return;
      case 'wait-for-servers':
        this.#pause(undefined);
        this.#state = 'shutting_down';
        this.#when(undefined, ({ pool }) => pool.lent === 0, this.#stop);
        return;
      case 'wait-for-clients':
        this.#listener.close();
        this.#state = 'shutting_down';
        this.#until(() => this.#listener.clientCount === 0, this.#stop);
        return;
    }
    return unreachable(mode);
  }

  /** Calls `then` once all pools of the database are as wanted. */
  #when(database: string | undefined, isReady: (pool: ServerPool) => boolean, then: () => void): void {
    this.#until(() => {
      for (const pool of this.#shared.servers.pools) {
        if (isOf(database, pool.database) && !isReady(pool)) return false;
      }
      return true;
    }, then);
  }

  #until(isReady: () => boolean, then: () => void): void {
    if (isReady()) {
      then();
      return;
    }
    const wait = setInterval(() => {
      if (!isReady()) return;
      clearInterval(wait);
      this.#waits.delete(wait);
      then();
    }, LOOK_EVERY_MS);
    this.#waits.add(wait);
  }
}

function isOf(wanted: string | undefined, database: string): boolean {
  return wanted === undefined || wanted === database;
}

function failed(cause: unknown): OrderOutcome {
  if (!(cause instanceof MatriarchError)) throw cause;
  return {
    kind: 'failed',
    failure: { code: SQLSTATE.invalidParameterValue, message: cause.message, hint: cause.hint },
  };
}
