/**
 * An operator's commands that follow PostgreSQL (an address that moves with the primary, say): `<command> <action>
 * <role> <scope>`, Patroni's arguments. They are told what was seen, whoever did it, one after the other, so that the
 * last one always speaks of the state that is; one that hangs is ended, and holds up nothing but those after it.
 */
import { spawn } from 'node:child_process';
import { background, failure, rethrowBug } from '../base/index.ts';
import type { AgentContext } from './context.ts';
import { localServer } from './observe.ts';

const RUN_MS = 60_000;
/** More that wait than this would be a loop of our own making; the oldest go. */
const WAITING_MAX = 100;

export type CallbackAction = 'on_start' | 'on_stop' | 'on_restart' | 'on_reload' | 'on_role_change';

/** PostgreSQL as commands are told of it. */
export interface Told {
  /** Of the running postmaster; undefined while none takes connections. */
  readonly pid: number | undefined;
  /** What it last was. */
  readonly role: 'primary' | 'replica' | undefined;
}

export interface Call {
  readonly action: CallbackAction;
  readonly role: 'primary' | 'replica';
}

/** What to tell of a change. A start in another role than the last is a change of role, as it is to Patroni. */
export function callsFor(before: Told, now: Told, isRestarting: boolean): readonly Call[] {
  const role = now.role ?? before.role;
  if (role === undefined) return [];
  if (now.pid === undefined)
    return before.pid === undefined || isRestarting ? [] : [{ action: 'on_stop', role: before.role ?? role }];
  const hasChangedRole = before.role !== undefined && before.role !== role;
  if (hasChangedRole) return [{ action: 'on_role_change', role }];
  if (before.pid === now.pid) return [];
  return [{ action: isRestarting ? 'on_restart' : 'on_start', role }];
}

export class Callbacks {
  readonly #ctx: AgentContext;
  readonly #waiting: Call[] = [];
  #told: Told = { pid: undefined, role: undefined };
  #isRunning = false;
  /** A restart of ours was seen to run, and PostgreSQL has not been seen to run again since. */
  #isRestarting = false;

  constructor(ctx: AgentContext) {
    this.#ctx = ctx;
  }

  /** What was last seen of PostgreSQL: commands are told what has changed. */
  see(): void {
    const { state, jobs } = this.#ctx;
    const local = localServer(state);
    const isUp = local.process === 'running' && local.role !== 'unknown';
    const postmaster = state.inspection?.postmaster;
    if (jobs.running === 'restart') this.#isRestarting = true;
    const now: Told = {
      pid: isUp && postmaster?.kind === 'accepting' ? postmaster.pid : undefined,
      role: isUp ? (local.role === 'primary' ? 'primary' : 'replica') : this.#told.role,
    };
    // Silent or between two states: nothing is known, so nothing is told.
    if (now.pid === undefined && local.process !== 'stopped') return;
    const calls = callsFor(this.#told, now, this.#isRestarting);
    if (now.pid !== undefined && now.pid !== this.#told.pid) this.#isRestarting = false;
    this.#told = now;
    for (const call of calls) this.#add(call);
  }

  reloaded(): void {
    const { role } = this.#told;
    if (role !== undefined) this.#add({ action: 'on_reload', role });
  }

  #add(call: Call): void {
    if (this.#ctx.postgresql.callbacks[call.action] === undefined) return;
    this.#waiting.push(call);
    if (this.#waiting.length > WAITING_MAX) this.#waiting.shift();
    if (!this.#isRunning) background(this.#ctx.log, 'callbacks', this.#runAll());
  }

  async #runAll(): Promise<void> {
    const { log } = this.#ctx;
    this.#isRunning = true;
    for (let call = this.#waiting.shift(); call !== undefined; call = this.#waiting.shift()) {
      try {
        const status = await this.#run(call);
        log.info('callback-ended', { ...call, status });
      } catch (cause) {
        rethrowBug(cause);
        log.warn('callback-failed', { ...call, ...failure(cause) });
      }
    }
    this.#isRunning = false;
  }

  async #run({ action, role }: Call): Promise<number | string | null> {
    const { callbacks } = this.#ctx.postgresql;
    const command = callbacks[action];
    if (command === undefined) return null;
    const word = role === 'primary' ? callbacks.primary_role : role;
    return await new Promise((resolve, reject) => {
      const child = spawn('/bin/sh', ['-c', `${command} "$@"`, 'sh', action, word, this.#ctx.config.scope], {
        stdio: 'ignore',
        timeout: RUN_MS,
        killSignal: 'SIGKILL',
      });
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve(code ?? signal));
    });
  }
}
