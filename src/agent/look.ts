/**
 * The look at our own PostgreSQL: files, processes, and what the server says. It never waits long for SQL: a server that
 * does not answer keeps its last known role, and the lease protects everybody meanwhile. No failure of a look ends the agent.
 */
import { failure, rethrowBug, serverProcesses } from '../base/index.ts';
import type { Inspection } from '../postgres/index.ts';
import type { AgentContext, AgentState } from './context.ts';
import { feelPulse } from './pulse.ts';

const STATUS_MS = 500;

/** Refreshes what is known of our own server: files, processes, and (if it takes connections) what it says. */
export async function look(ctx: AgentContext): Promise<void> {
  const { state, pg, log } = ctx;
  const before = postmasterOf(state);
  state.inspection = await inspected(ctx);
  state.hasStandbySignal = await pg.hasStandbySignal();
  const { postmaster } = state.inspection;
  if (postmaster.kind === 'orphans' && ctx.jobs.running === undefined) {
    // Backends that outlive their postmaster can still commit: nothing is decided while one lives.
    log.warn('orphaned-backends', { pids: postmaster.pids });
    await pg.stop({ mode: 'immediate', deadlineMs: 500 });
    state.inspection = await inspected(ctx);
  }
  if (state.inspection.postmaster.kind !== 'accepting') {
    state.status = undefined;
    state.pulse = undefined;
    return;
  }
  if (before !== postmasterOf(state)) state.status = undefined;
  try {
    await refreshStatus(ctx);
  } catch (cause) {
    rethrowBug(cause);
    if (!state.isSilent) log.warn('postgres-not-answering', failure(cause));
    state.isSilent = true;
    feelPulse(ctx, state.inspection.postmaster.pid);
  }
}

/**
 * Files, processes and pg_control. When they cannot be looked at (no process or file to be had, a hanging disk), a server
 * that lives is taken to be as it was: its lease and its own answers say the rest. Without a process the directory is unreadable.
 */
async function inspected(ctx: AgentContext): Promise<Inspection> {
  const { state, pg, log } = ctx;
  try {
    const seen = await pg.inspect();
    state.isBlind = false;
    return seen;
  } catch (cause) {
    rethrowBug(cause);
    if (!state.isBlind) log.error('inspection-failed', failure(cause));
    state.isBlind = true;
    return unseen(state.inspection, livingServer(pg.dataDir));
  }
}

function unseen(last: Inspection | undefined, pid: number | undefined): Inspection {
  const unreadable = { kind: 'foreign', because: 'it cannot be looked into' } as const;
  if (pid === undefined)
    return {
      data: unreadable,
      postmaster: { kind: 'stopped', stalePidFile: false },
      control: undefined,
    };
  if (last !== undefined && last.postmaster.kind !== 'stopped') return last;
  return {
    data: last?.data ?? unreadable,
    postmaster: { kind: 'accepting', pid },
    control: last?.control,
  };
}

/** A process of the server; 0 when even that cannot be seen, for then one must be taken to live. */
function livingServer(dataDir: string): number | undefined {
  try {
    return serverProcesses(dataDir)[0]?.pid;
  } catch (cause) {
    rethrowBug(cause);
    return 0;
  }
}

/** Of the server that takes connections. */
export function postmasterOf({ inspection }: AgentState): number | undefined {
  return inspection?.postmaster.kind === 'accepting' ? inspection.postmaster.pid : undefined;
}

/** Asks the running server and keeps the answer; joins a question that it is being asked. Rejects when it does not answer. */
export async function refreshStatus(ctx: AgentContext): Promise<void> {
  const { state } = ctx;
  const pid = postmasterOf(state);
  const asking =
    state.asking?.pid === pid && state.asking !== undefined
      ? state.asking
      : { pid, answer: askStatus(ctx, pid) };
  state.asking = asking;
  try {
    await asking.answer;
  } finally {
    if (state.asking === asking) state.asking = undefined;
  }
}

/** An answer of a server that has ended meanwhile says nothing of the one that runs now. */
async function askStatus(ctx: AgentContext, pid: number | undefined): Promise<void> {
  const { state, pg, clock } = ctx;
  const status = await pg.status({ deadlineMs: STATUS_MS });
  if (postmasterOf(state) !== pid) return;
  state.status = status;
  state.isSilent = false;
  state.pulse = undefined;
  state.statusAt = clock.now();
  if (status.replicationState === 'streaming') state.rewindsInVain = 0;
}
