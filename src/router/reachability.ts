/**
 * Which members can be connected to. A failed connect takes a member out of the choice for reads at once, so that
 * only one client pays for finding out; it is tried in the background until it answers again.
 */
import { connect } from 'node:net';
import { background, type Log, pause } from '../base/index.ts';
import type { ClusterWorld } from './world.ts';

const TRY_EVERY_MS = 500;
const TRY_TIMEOUT_MS = 1000;

export class Reachability {
  readonly #world: ClusterWorld;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  readonly #trying = new Set<string>();

  constructor(world: ClusterWorld, log: Log, signal: AbortSignal) {
    this.#world = world;
    this.#log = log;
    this.#signal = signal;
  }

  reached(member: string): void {
    if (this.#world.setReachable(member, true)) this.#log.info('member-reachable', { member });
  }

  failed(member: string, because: string): void {
    if (this.#world.candidate(member) === undefined) return;
    if (this.#world.setReachable(member, false)) this.#log.warn('member-unreachable', { member, because });
    if (this.#trying.has(member)) return;
    this.#trying.add(member);
    background(this.#log, `trying to reach ${member}`, this.#try(member));
  }

  async #try(member: string): Promise<void> {
    try {
      for (;;) {
        await pause(TRY_EVERY_MS, this.#signal);
        const candidate = this.#world.candidate(member);
        if (this.#signal.aborted || candidate === undefined) return;
        if (!this.#world.unreachable.has(member)) return;
        if (candidate.host !== '' && (await answers(candidate))) break;
      }
    } finally {
      this.#trying.delete(member);
    }
    this.reached(member);
  }
}

/** Whether something accepts connections there. */
async function answers(address: { readonly host: string; readonly port: number }): Promise<boolean> {
  return await new Promise<boolean>((resolve) => {
    const socket = connect({ host: address.host, port: address.port, timeout: TRY_TIMEOUT_MS });
    const done = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once('connect', () => done(true));
    socket.once('timeout', () => done(false));
    socket.once('error', () => done(false));
  });
}
