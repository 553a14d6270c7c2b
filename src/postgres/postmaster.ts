/**
 * The server process: found, started, watched, ended. It outlives this process and may have been started by another one,
 * so everything rests on /proc and the pid file; the child handle only makes the end of our own child known at once.
 * Signals go to the postmaster directly: a fence must not depend on running a program.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Clock,
  deferred,
  describe,
  findProcess,
  isSameProcess,
  isServerProcess,
  type Log,
  MatriarchError,
  type ProcessIdentity,
  pause,
  serverProcesses,
} from '../base/index.ts';
import { isNodeError } from './node-error.ts';
import { type Place, toolPath } from './place.ts';
import { type PostmasterPid, parsePostmasterPid } from './postmaster-pid.ts';
import { asUser, ENVIRONMENT } from './run.ts';
import type { PostmasterExit, PostmasterState, StopResult } from './types.ts';

const WATCH_MS = 50;
const POLL_MS = 20;
/** What SIGKILL gets at least, also when the deadline has passed: the caller must learn whether writes have ended. */
const KILL_MS = 1000;

export class Postmaster {
  readonly #place: Place;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #listeners = new Set<(exit: PostmasterExit) => void>();
  #watched: ProcessIdentity | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stops = 0;

  constructor(place: Place, clock: Clock, log: Log) {
    this.#place = place;
    this.#clock = clock;
    this.#log = log;
  }

  /** What runs at this moment. A postmaster that is found is watched from now on. */
  observe(): PostmasterState {
    const lock = this.#readLock();
    if (lock !== undefined && !lock.singleUser && isServerProcess(lock.pid, this.#place.dataDir)) {
      this.#watch(findProcess(lock.pid));
      if (lock.status === 'ready') return { kind: 'accepting', pid: lock.pid };
      return { kind: lock.status === 'stopping' ? 'stopping' : 'starting', pid: lock.pid };
    }
    if (this.#watched !== undefined && isSameProcess(this.#watched)) {
      // Spawned a moment ago: no lock file of its own yet.
      return { kind: 'starting', pid: this.#watched.pid };
    }
    const pids = serverProcesses(this.#place.dataDir).map(({ pid }) => pid);
    if (pids.length > 0) return { kind: 'orphans', pids };
    return { kind: 'stopped', stalePidFile: lock !== undefined };
  }

  /** Starts `postgres` in a session of its own, its output appended to the log file. Returns its pid. */
  async spawn(args: readonly string[]): Promise<number> {
    const { dataDir, settings, owner, logFile } = this.#place;
    const log = await open(logFile, 'a', 0o600);
    try {
      const child = spawn(toolPath(settings, 'postgres'), ['-D', dataDir, ...args], {
        cwd: '/',
        detached: true,
        env: ENVIRONMENT,
        stdio: ['ignore', log.fd, log.fd],
        ...asUser(owner),
      });
      const spawned = deferred<number>();
      child.once('error', (cause) => {
        const message = `${toolPath(settings, 'postgres')} could not be run: ${describe(cause)}`;
        spawned.reject(new MatriarchError('postgres-start-failed', message, { cause }));
      });
      child.once('spawn', () => spawned.resolve(child.pid ?? 0));
      const pid = await spawned.promise;
      child.unref();
      this.#watch(findProcess(pid));
      child.once('exit', () => this.#check());
      return pid;
    } finally {
      await log.close();
    }
  }

  /** Sends a signal to the running postmaster; false when there is none. */
  signal(signal: NodeJS.Signals): boolean {
    const state = this.observe();
    if (state.kind === 'stopped' || state.kind === 'orphans') return false;
    return sendSignal(state.pid, signal);
  }

  /** See `PostgresControl.stop`: each step gets its part of the deadline, and the last one always happens. */
  async stop(mode: 'fast' | 'immediate', deadlineMs: number): Promise<StopResult> {
    const startedAt = this.#clock.now();
    const state = this.observe();
    if (state.kind === 'stopped') return { outcome: 'not-running' };
    const elapsed = (): number => this.#clock.now() - startedAt;
    const stopped = (by: 'fast' | 'immediate' | 'kill'): StopResult => {
      this.#check();
      this.#log.info('postgres-stopped', { by, tookMs: Math.round(elapsed()) });
      return { outcome: 'stopped', by, tookMs: elapsed() };
    };
    this.#stops += 1;
    try {
      if (state.kind !== 'orphans') {
        const immediateAtMs = mode === 'fast' ? Math.max(deadlineMs * 0.5, deadlineMs - 2000) : 0;
        const killAtMs = Math.max(deadlineMs * 0.8, deadlineMs - 700);
        if (mode === 'fast') {
          this.signal('SIGINT');
          if (await this.#isGone(() => elapsed() < immediateAtMs)) return stopped('fast');
        }
        this.signal('SIGQUIT');
        if (await this.#isGone(() => elapsed() < killAtMs)) return stopped('immediate');
      }
      const left = await this.#killAll(Math.max(KILL_MS, deadlineMs - elapsed()));
      if (left.length === 0) return stopped('kill');
      this.#log.error('postgres-survives-kill', { pids: left });
      return { outcome: 'failed', pids: left };
    } finally {
      this.#stops -= 1;
    }
  }

  onExit(callback: (exit: PostmasterExit) => void): () => void {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  close(): void {
    this.#listeners.clear();
    clearInterval(this.#timer);
    this.#watched = undefined;
  }

  /** Waits for the end of the postmaster and of all its children while `more` says so. */
  async #isGone(more: () => boolean): Promise<boolean> {
    for (;;) {
      const state = this.observe();
      if (state.kind === 'stopped') return true;
      if (!more()) return false;
      await pause(POLL_MS);
    }
  }

  /** A stopped postmaster cannot replace the children that are killed. Returns the pids that are left. */
  async #killAll(deadlineMs: number): Promise<readonly number[]> {
    const startedAt = this.#clock.now();
    this.signal('SIGSTOP');
    for (;;) {
      const left = serverProcesses(this.#place.dataDir).map(({ pid }) => pid);
      if (left.length === 0 || this.#clock.now() - startedAt > deadlineMs) return left;
      for (const pid of left) sendSignal(pid, 'SIGKILL');
      await pause(POLL_MS);
    }
  }

  #watch(found: ProcessIdentity | undefined): void {
    if (found === undefined) return;
    const { pid, startTicks } = this.#watched ?? {};
    if (found.pid === pid && found.startTicks === startTicks) return;
    this.#watched = found;
    this.#timer ??= setInterval(() => this.#check(), WATCH_MS);
  }

  #check(): void {
    const watched = this.#watched;
    if (watched === undefined || isSameProcess(watched)) return;
    this.#watched = undefined;
    clearInterval(this.#timer);
    this.#timer = undefined;
    const exit = { pid: watched.pid, expected: this.#stops > 0 };
    this.#log.info('postmaster-exited', exit);
    for (const listener of this.#listeners) listener(exit);
  }

  #readLock(): PostmasterPid | undefined {
    try {
      return parsePostmasterPid(readFileSync(join(this.#place.dataDir, 'postmaster.pid'), 'utf8'));
    } catch (cause) {
      if (isNodeError(cause) && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')) return undefined;
      throw cause;
    }
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (cause) {
    if (isNodeError(cause) && cause.code === 'ESRCH') return false;
    throw cause;
  }
}
