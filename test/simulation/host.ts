/**
 * A database host: PostgreSQL, the fence, and the real agent (all of it, behind doors of the models) with the host's own
 * clock, which drifts, and whose wall time jumps. Each part can die or be paused for itself, and the host as a whole.
 */
import { assemble } from '../../src/agent/agent.ts';
import type { AgentContext } from '../../src/agent/context.ts';
import { answerFailsafe } from '../../src/agent/failsafe-answer.ts';
import { type Elector, electorsOf, readAnswer, readPledge } from '../../src/agent/peers.ts';
import { freshStatus } from '../../src/agent/rest.ts';
import { runAgent } from '../../src/agent/run.ts';
import { Watchdog } from '../../src/agent/watchdog.ts';
import { type Clock, type Log, silentLog, type Timers } from '../../src/base/index.ts';
import type { Config } from '../../src/config/index.ts';
import type { PeerAnswer } from '../../src/ha/index.ts';
import type { Chance } from './chance.ts';
import { type Event, type Events, Process } from './events.ts';
import { endWhenLonely, FenceHand, type FencePlace, FenceProcess } from './fence.ts';
import type { Network, Site } from './network.ts';
import type { Server } from './server.ts';
import { controlOf } from './server-control.ts';
import type { Store, StoreMember } from './store.ts';
import { storeClient } from './store-client.ts';

export interface HostWorld {
  readonly events: Events;
  readonly chance: Chance;
  readonly network: Network;
  readonly store: Store;
  readonly hosts: ReadonlyMap<string, Host>;
  readonly trace: ((line: string) => void) | undefined;
}

const ASK_MS = 400;
/** As a service manager's. */
const RESTART_MS = 1000;

export class Host {
  readonly site: Site;
  readonly server: Server;
  readonly config: Config;
  readonly storeMember: StoreMember | undefined;
  readonly #world: HostWorld;
  readonly #place: FencePlace;
  /** Seconds of its clock in one of true time. */
  readonly #rate: number;
  #wallOffset: number;
  isUp = true;
  isPaused = false;
  /** Since when it runs again after a pause as a whole. */
  resumedAt = Number.NEGATIVE_INFINITY;
  /** When something last went wrong here, or ended, or the agent was started. */
  troubledAt = Number.NEGATIVE_INFINITY;
  agent:
    | { readonly process: Process; readonly ctx: AgentContext; readonly ending: AbortController }
    | undefined;
  /** Keeps a service manager from starting the agent again. */
  isAgentWanted = true;

  constructor(
    parts: { site: Site; server: Server; config: Config; storeMember: StoreMember | undefined },
    world: HostWorld,
  ) {
    this.site = parts.site;
    this.server = parts.server;
    this.config = parts.config;
    this.storeMember = parts.storeMember;
    this.#world = world;
    this.#rate = world.chance.between(0.998, 1.002);
    this.#wallOffset = world.chance.between(-5000, 5000);
    this.#place = {
      fence: undefined,
      lostListeners: new Set(),
      make: () =>
        new FenceProcess({
          server: this.server,
          marginMs: this.config.lease.fence_margin,
          now: this.clock.now,
          afterLocal: (ms, owner, run) => this.#afterLocal(ms, owner, run),
        }),
    };
  }

  readonly clock: Clock = {
    now: () => 50_000 + this.#world.events.now * this.#rate,
    wallNow: () => 1_700_000_000_000 + this.#world.events.now + this.#wallOffset,
  };

  get fence(): FenceProcess | undefined {
    return this.#place.fence?.process.isAlive === true ? this.#place.fence : undefined;
  }

  jumpWallClock(ms: number): void {
    this.#wallOffset += ms;
  }

  startAgent(): void {
    if (this.agent !== undefined || !this.isUp) return;
    const { events, chance, store } = this.#world;
    const process = new Process(`agent of ${this.site.name}`, true);
    process.isPaused = this.isPaused;
    const timers: Timers = {
      after: (ms, callback) => {
        const event = this.#afterLocal(ms, process, callback);
        return () => {
          event.run = undefined;
        };
      },
    };
    const { config, clock } = this;
    const log = this.#log();
    const ctx = assemble({
      config,
      dcs: storeClient(store, { site: this.site, process, clock: this.clock }),
      clock: this.clock,
      timers,
      log,
      random: () => chance.next(),
      pg: controlOf(this.server, process),
      fence: new FenceHand(this.#place, process, { events, chance }),
      watchdog: new Watchdog({ config: config.watchdog, lease: config.lease, clock, log }),
      peers: this.#peers(process),
    });
    const ending = new AbortController();
    const agent = { process, ctx, ending };
    this.agent = agent;
    this.troubledAt = events.now;
    const ended = (how: string): void => {
      this.#world.trace?.(`${process.name}: ended, ${how}`);
      if (this.agent === agent) this.#agentGone(process);
    };
    events.after(0, process, () => {
      runAgent(ctx, ending.signal).then(
        () => ended('in order'),
        (cause: unknown) => ended(String(cause)),
      );
    });
  }

  /** SIGTERM: it ends in order and is started again. */
  stopAgent(): void {
    const { agent } = this;
    if (agent !== undefined) this.#world.events.after(0, agent.process, () => agent.ending.abort());
  }

  killAgent(): void {
    if (this.agent !== undefined) this.#agentGone(this.agent.process);
  }

  #agentGone(process: Process): void {
    const { events, chance } = this.#world;
    process.isAlive = false;
    this.agent = undefined;
    this.server.exitListeners.clear();
    this.#place.lostListeners.clear();
    endWhenLonely(this.#place, events, () => this.agent !== undefined);
    events.after(RESTART_MS * chance.between(1, 3), undefined, () => {
      if (this.isAgentWanted) this.startAgent();
    });
  }

  killFence(): void {
    const { fence, lostListeners } = this.#place;
    if (fence === undefined) return;
    fence.process.isAlive = false;
    for (const listener of lostListeners) this.#world.events.after(1, this.agent?.process, listener);
  }

  crash(): void {
    this.#world.trace?.(`${this.site.name}: the host crashes`);
    this.isUp = false;
    this.killAgent();
    this.killFence();
    this.server.crash();
    if (this.storeMember !== undefined) this.storeMember.isUp = false;
    this.#world.store.reconsider();
  }

  boot(): void {
    if (this.isUp) return;
    this.#world.trace?.(`${this.site.name}: the host boots`);
    this.isUp = true;
    this.troubledAt = this.#world.events.now;
    this.server.isHostUp = true;
    if (this.storeMember !== undefined) this.storeMember.isUp = true;
    this.startAgent();
  }

  /** Everything on the host stands still, as a machine whose hypervisor takes it away. */
  pause(): void {
    if (!this.isUp || this.isPaused) return;
    this.#world.trace?.(`${this.site.name}: the host is paused`);
    this.isPaused = true;
    for (const process of this.#processes()) process.isPaused = true;
    if (this.storeMember !== undefined) this.storeMember.isUp = false;
    this.#world.store.reconsider();
  }

  resume(): void {
    const { events } = this.#world;
    if (this.isPaused) {
      this.#world.trace?.(`${this.site.name}: the host goes on`);
      this.resumedAt = events.now;
      if (this.storeMember !== undefined) this.storeMember.isUp = this.isUp;
    }
    this.isPaused = false;
    for (const process of this.#processes()) events.resume(process);
  }

  #processes(): Process[] {
    return [this.server.life, this.fence?.process, this.agent?.process].filter((each) => each !== undefined);
  }

  #afterLocal(ms: number, owner: Process, run: () => void): Event {
    const { events, chance } = this.#world;
    return events.after(ms / this.#rate + chance.next(), owner, run);
  }

  #peers(process: Process): AgentContext['peers'] {
    const askOne = async (member: Elector, formerCity?: string): Promise<PeerAnswer | undefined> =>
      await this.#ask(process, member.name, ASK_MS, async (ctx) =>
        readAnswer(member, await freshStatus(ctx), formerCity),
      );
    return {
      ask: async (who, self, formerCity) => {
        const answers = await Promise.all(electorsOf(who, self).map((member) => askOne(member, formerCity)));
        return answers.filter((answer) => answer !== undefined);
      },
      askOne,
      pledge: async ({ name }, body, withinMs) =>
        await this.#ask(process, name, withinMs, async (ctx) => {
          const { status, text, forMs } = answerFailsafe(ctx, body);
          return await Promise.resolve(readPledge(status, text, forMs));
        }),
      close: async () => await Promise.resolve(),
    };
  }

  /** A question to the REST API of the other agent, answered by that agent's own code; undefined when it is not in time. */
  async #ask<T>(
    process: Process,
    name: string,
    withinMs: number,
    respond: (ctx: AgentContext) => Promise<T>,
  ): Promise<T | undefined> {
    const { events, network, hosts } = this.#world;
    const other = hosts.get(name);
    return await new Promise((resolve) => {
      const limit = events.after(withinMs, process, () => resolve(undefined));
      const answered = (answer: T): void => {
        limit.run = undefined;
        resolve(answer);
      };
      const agent = other?.agent;
      if (other === undefined || agent === undefined) return;
      network.send(this.site, other.site, agent.process, () => {
        const answer = (said: T): void => network.send(other.site, this.site, process, () => answered(said));
        respond(agent.ctx).then(answer, () => undefined);
      });
    });
  }

  #log(): Log {
    const { trace } = this.#world;
    if (trace === undefined) return silentLog;
    const say = (event: string, fields?: object): void =>
      trace(`${this.site.name}: ${event} ${fields === undefined ? '' : JSON.stringify(fields)}`);
    const log: Log = { debug: () => {}, info: say, warn: say, error: say, child: () => log };
    return log;
  }
}
