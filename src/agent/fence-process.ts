/**
 * The fence: a separate small process that stops PostgreSQL when the deadline it was given passes, while the agent is
 * frozen, starved or dead. It is an entry point of its own (a composition root, so it reads argv and writes to stderr,
 * which is its log file) and imports as little as it can. State machine and safety argument: ha/fence.ts. While it is armed it
 * holds the watchdog device, which covers its own end (ha/watchdog.ts).
 *
 * It ends when there is nothing to guard: idle, and the agent has said that it leaves or is gone.
 */
import { chmodSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { postmasterOf, serverProcesses } from '../base/index.ts';
import {
  type Blow,
  type FenceEvent,
  type FenceState,
  idleFence,
  keepsTimer,
  stepFence,
} from '../ha/index.ts';
import {
  type FenceAnswer,
  type FenceArguments,
  parseLine,
  readOrders,
  splitLines,
} from './fence-protocol.ts';
import { FenceWatchdog } from './fence-watchdog.ts';

const LONELY_MS = 2000;
const now = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;
const say = (event: string, fields: object): void => {
  process.stderr.write(
    `${JSON.stringify({ time: new Date().toISOString(), event, pid: process.pid, ...fields })}\n`,
  );
};

const args = readArguments(process.argv[2]);
let state: FenceState = idleFence;
let timer: NodeJS.Timeout | undefined;
const watchdog = new FenceWatchdog({ marginMs: args.marginMs, now, say });
const agents = new Set<Socket>();
let lonelySince = now();

function readArguments(text: string | undefined): FenceArguments {
  const json = parseLine(text ?? '');
  const { socket, dataDir, marginMs } = json ?? {};
  if (typeof socket === 'string' && typeof dataDir === 'string' && typeof marginMs === 'number')
    return { socket, dataDir, marginMs };
  throw new Error('usage: fence-process {"socket":…,"dataDir":…,"marginMs":…}');
}

function step(event: FenceEvent): void {
  const before = state;
  const next = stepFence(before, event, { now: now(), marginMs: args.marginMs });
  if (next.state.is !== before.is) say(`fence-${next.state.is}`, { from: before.is });
  state = next.state;
  watchdog.see(state);
  if (next.blow !== undefined) strike(next.blow);
  if (keepsTimer(before, event, state)) return;
  clearTimeout(timer);
  if (state.is === 'striking') timer = setTimeout(lookAndTick, 20);
  else if (next.wakeAt !== undefined)
    timer = setTimeout(() => step({ type: 'tick' }), Math.max(0, Math.ceil(next.wakeAt - now())));
}

function lookAndTick(): void {
  step({ type: serverProcesses(args.dataDir).length === 0 ? 'server-gone' : 'tick' });
}

/** Only processes proven to be servers of this directory are ever signalled. */
function strike(blow: Blow): void {
  const servers = serverProcesses(args.dataDir);
  const all = servers.map(({ pid }) => pid);
  const postmaster = postmasterOf(servers)?.pid;
  // Without its postmaster nobody tells the others to stop.
  const targets = blow === 'SIGKILL' || postmaster === undefined ? all : [postmaster];
  if (targets.length > 0) say('fence-strikes', { blow, targets });
  for (const pid of targets) {
    try {
      process.kill(pid, postmaster === undefined && blow === 'SIGINT' ? 'SIGTERM' : blow);
    } catch (cause) {
      say('fence-signal-failed', { pid, cause: String(cause) });
    }
  }
}

function answer(socket: Socket, id: number): void {
  const reply: FenceAnswer = {
    id,
    state: state.is,
    pid: process.pid,
    watchdog: watchdog.status,
    ...(state.is === 'idle' ? {} : { deadline: state.deadline }),
  };
  socket.write(`${JSON.stringify(reply)}\n`);
}

function onLine(socket: Socket, line: string): void {
  const request = parseLine(line);
  const id = request?.['id'];
  if (request === undefined || typeof id !== 'number') return;
  const deadline = request['deadline'];
  if (request['type'] === 'arm' && typeof deadline === 'number') step({ type: 'arm', deadline });
  if (request['type'] === 'disarm') step({ type: 'disarm' });
  if (request['type'] === 'watchdog') watchdog.obey(readOrders(request['orders']));
  answer(socket, id);
  if (request['type'] === 'leave' && mayEnd()) end('the agent has left');
}

function onAgent(socket: Socket): void {
  agents.add(socket);
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    const split = splitLines(rest + text);
    rest = split.rest;
    for (const line of split.lines) onLine(socket, line);
  });
  socket.on('error', (cause) => say('fence-agent-error', { cause: String(cause) }));
  socket.on('close', () => {
    agents.delete(socket);
    lonelySince = now();
    if (state.is === 'armed') say('fence-agent-gone', { remainingMs: Math.round(state.deadline - now()) });
  });
}

/** A socket file whose owner is dead is replaced; a living fence keeps its place, and this one ends. */
function listen(server: Server): void {
  const probe = connect(args.socket);
  probe.on('connect', () => {
    say('fence-already-there', {});
    probe.destroy();
    server.close();
    clearInterval(lonely);
  });
  probe.on('error', () => {
    try {
      unlinkSync(args.socket);
    } catch (cause) {
      if (!(cause instanceof Error) || !('code' in cause) || cause.code !== 'ENOENT') throw cause;
    }
    server.listen(args.socket, () => {
      chmodSync(args.socket, 0o600);
      say('fence-ready', { dataDir: args.dataDir });
    });
  });
}

/** A watchdog that cannot be stopped has to be fed for as long as this machine runs. */
function mayEnd(): boolean {
  return state.is === 'idle' && !watchdog.mustStay;
}

/** Only ever when idle. Closing the server removes its socket file; the process ends with its last handle. */
function end(because: string): void {
  say('fence-ends', { because });
  clearInterval(lonely);
  server.close();
  for (const agent of agents) agent.end();
}

const server = createServer(onAgent);
const lonely = setInterval(() => {
  if (mayEnd() && agents.size === 0 && now() - lonelySince >= LONELY_MS) end('nothing to guard');
}, 500);
// A terminal's Ctrl-C or a service manager's SIGTERM to the group must not take the guard away before PostgreSQL is down.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => say('fence-signal-ignored', { signal }));
listen(server);
