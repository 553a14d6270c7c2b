/**
 * The agent's hold on its fence process: finds the one that is still there from an earlier life, else starts one,
 * detached and in a session of its own, so that it outlives us. `arm` resolves only when the fence has said that it
 * is armed; without that no promotion happens.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, open } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import {
  type Deferred,
  deferred,
  describe,
  failure,
  type Log,
  MatriarchError,
  pause,
  rethrowBug,
  withDeadline,
} from '../base/index.ts';
import {
  type FenceAnswer,
  type FenceArguments,
  type FenceRequest,
  parseLine,
  readWatchdogStatus,
  splitLines,
  type WatchdogOrders,
  type WatchdogStatus,
} from './fence-protocol.ts';

const READY_MS = 3000;
const ANSWER_MS = 500;
const SOCKET_PATH_BYTES_MAX = 107;
const HEAP_MB = 24;

export interface FenceClientOptions {
  readonly dataDir: string;
  /** Where the socket goes if its path next to the data directory would be too long. */
  readonly socketDir: string;
  readonly marginMs: number;
  readonly log: Log;
  /** What the fence is told of the watchdog device, whenever it has changed; undefined: none is used. */
  readonly watchdog?: () => WatchdogOrders | undefined;
}

type Question =
  | { readonly type: 'arm'; readonly deadline: number }
  | { readonly type: 'disarm' }
  | { readonly type: 'watchdog'; readonly orders: WatchdogOrders | null }
  | { readonly type: 'leave' }
  | { readonly type: 'state' };

export class FenceClient {
  readonly #options: FenceClientOptions;
  readonly #waiting = new Map<number, Deferred<FenceAnswer>>();
  #socket: Socket | undefined;
  readonly #lostListeners = new Set<() => void>();
  #nextId = 1;
  #deadline: number | undefined;
  #watchdog: WatchdogStatus | undefined;
  /** The orders as this fence has them; undefined as long as it has been told none by us. */
  #told: string | undefined;
  #connecting: Promise<void> | undefined;

  constructor(options: FenceClientOptions) {
    this.#options = options;
  }

  /** What the fence last said that it is armed with; undefined when idle or not there. */
  get deadline(): number | undefined {
    return this.#socket === undefined ? undefined : this.#deadline;
  }

  /** What the fence last said of the watchdog device; undefined when it is not there, or says nothing of it. */
  get watchdog(): WatchdogStatus | undefined {
    return this.#socket === undefined ? undefined : this.#watchdog;
  }

  /** Calls `listener` whenever the fence is gone, until the returned function is called. */
  onLost(listener: () => void): () => void {
    this.#lostListeners.add(listener);
    return () => this.#lostListeners.delete(listener);
  }

  /** Connected to a living fence, started if need be, that knows of the watchdog. Rejects with `fence-unavailable`, or `deadline-exceeded` when it is there and does not answer. */
  async ensure(): Promise<void> {
    if (this.#socket === undefined) {
      this.#connecting ??= this.#connectOrStart().finally(() => {
        this.#connecting = undefined;
      });
      await this.#connecting;
    }
    const orders = this.#options.watchdog?.() ?? null;
    const told = JSON.stringify(orders);
    if (told === this.#told) return;
    await this.#ask({ type: 'watchdog', orders });
    this.#told = told;
  }

  /** Asks how it is. Rejects as `ensure` does. */
  async look(): Promise<void> {
    await this.ensure();
    await this.#ask({ type: 'state' });
  }

  /** Resolves when the fence has confirmed to strike at `deadline` or later. Rejects as `ensure` does. */
  async arm(deadline: number): Promise<void> {
    await this.ensure();
    const answer = await this.#ask({ type: 'arm', deadline });
    if (answer.state !== 'armed')
      throw new MatriarchError('fence-unavailable', `the fence is ${answer.state}, not armed`);
  }

  /** PostgreSQL is no primary any more. A fence that is gone guards nothing, which is as good. */
  async disarm(): Promise<void> {
    await this.#tell('disarm');
  }

  /** Lets go. An idle fence ends with us; an armed one stays and guards on. */
  async leave(): Promise<void> {
    await this.#tell('leave');
    this.#socket?.destroy();
  }

  async #tell(type: 'disarm' | 'leave'): Promise<void> {
    if (this.#socket === undefined) return;
    try {
      await this.#ask({ type });
    } catch (cause) {
      rethrowBug(cause);
      this.#options.log.warn('fence-not-told', { type, ...failure(cause) });
    }
  }

  async #connectOrStart(): Promise<void> {
    const path = this.#path();
    if (await this.#connect(path)) return;
    const child = await this.#spawn(path);
    let exit: string | undefined;
    child.once('exit', (code, signal) => {
      exit = `ended with ${code ?? signal ?? 'nothing'}`;
    });
    child.once('error', (cause) => {
      exit = describe(cause);
    });
    for (let waitedMs = 0; waitedMs < READY_MS; waitedMs += 20) {
      await pause(20);
      if (await this.#connect(path)) return;
      if (exit !== undefined) break;
    }
    throw new MatriarchError(
      'fence-unavailable',
      `the fence process did not come up: ${exit ?? 'no answer'}`,
    );
  }

  #path(): string {
    const beside = join(dirname(this.#options.dataDir), `${basename(this.#options.dataDir)}.fence.sock`);
    return Buffer.byteLength(beside) <= SOCKET_PATH_BYTES_MAX
      ? beside
      : join(this.#options.socketDir, '.matriarch-fence.sock');
  }

  async #spawn(socket: string): Promise<ChildProcess> {
    const args: FenceArguments = { socket, dataDir: this.#options.dataDir, marginMs: this.#options.marginMs };
    await mkdir(dirname(socket), { recursive: true });
    const logFile = await open(`${this.#options.dataDir}.fence.log`, 'a', 0o600);
    try {
      const entry = fileURLToPath(new URL('./fence-process.js', import.meta.url));
      const child = spawn(
        execPath,
        [`--max-old-space-size=${HEAP_MB}`, '--max-semi-space-size=1', entry, JSON.stringify(args)],
        {
          detached: true,
          stdio: ['ignore', 'ignore', logFile.fd],
        },
      );
      child.unref();
      this.#options.log.info('fence-started', { pid: child.pid, socket });
      return child;
    } finally {
      await logFile.close();
    }
  }

  async #connect(path: string): Promise<boolean> {
    const socket = connect(path);
    const isConnected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    if (!isConnected) return false;
    this.#adopt(socket);
    await this.#ask({ type: 'state' });
    return true;
  }

  #adopt(socket: Socket): void {
    let rest = '';
    this.#socket = socket;
    this.#deadline = undefined;
    this.#watchdog = undefined;
    this.#told = undefined;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      const split = splitLines(rest + text);
      rest = split.rest;
      for (const line of split.lines) this.#onAnswer(line);
    });
    socket.on('error', (cause) => this.#options.log.warn('fence-connection-error', failure(cause)));
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = undefined;
      for (const wait of this.#waiting.values())
        wait.reject(new MatriarchError('fence-unavailable', 'the fence process is gone'));
      this.#waiting.clear();
      for (const listener of this.#lostListeners) listener();
    });
  }

  #onAnswer(line: string): void {
    const json = parseLine(line);
    const { id, state, deadline, pid } = json ?? {};
    if (typeof id !== 'number' || typeof pid !== 'number') return;
    if (state !== 'idle' && state !== 'armed' && state !== 'striking') return;
    this.#deadline = typeof deadline === 'number' ? deadline : undefined;
    this.#watchdog = readWatchdogStatus(json?.['watchdog']);
    this.#waiting
      .get(id)
      ?.resolve(typeof deadline === 'number' ? { id, state, pid, deadline } : { id, state, pid });
  }

  async #ask(question: Question): Promise<FenceAnswer> {
    const socket = this.#socket;
    if (socket === undefined)
      throw new MatriarchError('fence-unavailable', 'the fence process is not connected');
    const id = this.#nextId;
    this.#nextId += 1;
    const request: FenceRequest = { id, ...question };
    const wait = deferred<FenceAnswer>();
    this.#waiting.set(id, wait);
    socket.write(`${JSON.stringify(request)}\n`);
    try {
      return await withDeadline(wait.promise, ANSWER_MS, 'the fence process');
    } finally {
      this.#waiting.delete(id);
    }
  }
}
