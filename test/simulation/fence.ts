/**
 * The fence process of a host around the real state machine, and the agent's hand on it. The process outlives its agent;
 * what is said between them takes a moment each way, and nothing is heard while either is paused.
 */
import type { AgentContext } from '../../src/agent/context.ts';
import { MatriarchError } from '../../src/base/index.ts';
import { type FenceEvent, type FenceState, idleFence, keepsTimer, stepFence } from '../../src/ha/index.ts';
import type { Chance } from './chance.ts';
import { type Event, type Events, Process } from './events.ts';
import type { Server } from './server.ts';

const LONELY_MS = 2000;
const ANSWER_MS = 500;

interface FenceParts {
  readonly server: Server;
  readonly marginMs: number;
  /** The host's monotonic clock, which agent and fence share. */
  readonly now: () => number;
  readonly afterLocal: (ms: number, owner: Process, run: () => void) => Event;
}

export class FenceProcess {
  readonly process: Process;
  readonly #parts: FenceParts;
  state: FenceState = idleFence;
  #timer: Event | undefined;

  constructor(parts: FenceParts) {
    this.#parts = parts;
    this.process = new Process(`fence of ${parts.server.name}`);
  }

  step(event: FenceEvent): void {
    const { server, marginMs, now, afterLocal } = this.#parts;
    const before = this.state;
    const next = stepFence(before, event, { now: now(), marginMs });
    if (next.state.is !== before.is && next.state.is === 'striking')
      server.world.watcher.trace?.(`${this.process.name}: strikes`);
    this.state = next.state;
    if (next.blow !== undefined) server.signal(next.blow);
    if (keepsTimer(before, event, next.state)) return;
    if (this.#timer !== undefined) this.#timer.run = undefined;
    this.#timer = undefined;
    if (next.state.is === 'striking') {
      this.#timer = afterLocal(20, this.process, () =>
        this.step({ type: server.run === 'stopped' ? 'server-gone' : 'tick' }),
      );
    } else if (next.wakeAt !== undefined) {
      this.#timer = afterLocal(Math.ceil(next.wakeAt - now()), this.process, () =>
        this.step({ type: 'tick' }),
      );
    }
  }

  get deadline(): number | undefined {
    return this.state.is === 'idle' ? undefined : this.state.deadline;
  }
}

/** Where the fence of a host is kept; agents come and go. */
export interface FencePlace {
  fence: FenceProcess | undefined;
  /** Of the agent that is there: told when the fence is killed. */
  readonly lostListeners: Set<() => void>;
  readonly make: () => FenceProcess;
}

type Fence = AgentContext['fence'];

/** The agent's hand on the fence, with the promises of the real one. */
export class FenceHand implements Fence {
  readonly #place: FencePlace;
  readonly #agent: Process;
  readonly #world: { readonly events: Events; readonly chance: Chance };
  #connected: FenceProcess | undefined;
  #deadline: number | undefined;

  constructor(
    place: FencePlace,
    agent: Process,
    world: { readonly events: Events; readonly chance: Chance },
  ) {
    this.#place = place;
    this.#agent = agent;
    this.#world = world;
  }

  get deadline(): number | undefined {
    return this.#fence === undefined ? undefined : this.#deadline;
  }

  onLost(listener: () => void): () => void {
    const { lostListeners } = this.#place;
    lostListeners.add(listener);
    return () => lostListeners.delete(listener);
  }

  /** The device is not modelled. */
  readonly watchdog = undefined;

  async look(): Promise<void> {
    await this.ensure();
  }

  async ensure(): Promise<void> {
    if (this.#fence !== undefined) return;
    const { chance } = this.#world;
    if (!isThere(this.#place)) {
      await this.#after(chance.between(100, 400));
      if (!isThere(this.#place)) this.#place.fence = this.#place.make();
    }
    this.#connected = this.#place.fence;
    await this.#ask(() => undefined);
  }

  async arm(deadline: number): Promise<void> {
    await this.ensure();
    const state = await this.#ask((fence) => fence.step({ type: 'arm', deadline }));
    if (state.is !== 'armed')
      throw new MatriarchError('fence-unavailable', `the fence is ${state.is}, not armed`);
  }

  async disarm(): Promise<void> {
    if (this.#fence !== undefined) await this.#ask((fence) => fence.step({ type: 'disarm' }));
  }

  async leave(): Promise<void> {
    if (this.#fence !== undefined) await this.#ask((fence) => endIfIdle(fence));
    this.#connected = undefined;
  }

  get #fence(): FenceProcess | undefined {
    return this.#connected?.process.isAlive === true ? this.#connected : undefined;
  }

  async #after(ms: number): Promise<void> {
    await new Promise<void>((resolve) => this.#world.events.after(ms, this.#agent, resolve));
  }

  async #ask(step: (fence: FenceProcess) => void): Promise<FenceState> {
    const { events, chance } = this.#world;
    const fence = this.#fence;
    if (fence === undefined) throw new MatriarchError('fence-unavailable', 'the fence is not there');
    return await new Promise<FenceState>((resolve, reject) => {
      const limit = events.after(ANSWER_MS, this.#agent, () =>
        reject(new MatriarchError('deadline-exceeded', 'the fence process took longer')),
      );
      events.after(chance.between(0.1, 1), fence.process, () => {
        step(fence);
        const { state, deadline } = fence;
        events.after(chance.between(0.1, 1), this.#agent, () => {
          limit.run = undefined;
          this.#deadline = deadline;
          resolve(state);
        });
      });
    });
  }
}

const isThere = ({ fence }: FencePlace): boolean => fence?.process.isAlive === true;

function endIfIdle(fence: FenceProcess): void {
  if (fence.state.is === 'idle') fence.process.isAlive = false;
}

/** A fence that guards nothing ends some time after its agent. */
export function endWhenLonely(place: FencePlace, events: Events, hasAgent: () => boolean): void {
  const { fence } = place;
  if (fence === undefined) return;
  events.after(LONELY_MS, fence.process, () => {
    if (hasAgent()) return;
    endIfIdle(fence);
    endWhenLonely(place, events, hasAgent);
  });
}
