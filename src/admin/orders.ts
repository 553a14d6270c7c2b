/**
 * What an administrator wants done: the router carries it out. What makes no sense now (PAUSE of what is paused, RESUME
 * of what is not, a database that nobody knows) is refused here, from the facts, with PgBouncer's words.
 */
import { unreachable } from '../base/index.ts';
import { type AdminAccess, isAdminDatabase } from './access.ts';
import type { AdminCommand, ShutdownMode } from './command.ts';
import type { AdminFacts } from './facts.ts';
import { type AdminFailure, FAILURE } from './failures.ts';

/** `database` undefined: all of them, those that come later too. */
export type AdminOrder =
  /** Lend no connection; done when every server connection has come back and is closed. */
  | { readonly kind: 'pause'; readonly database: string | undefined }
  | { readonly kind: 'resume'; readonly database: string | undefined }
  /** Close each server connection once it is free; done at once. */
  | { readonly kind: 'reconnect'; readonly database: string | undefined }
  /** Cut clients (but the console's) and servers, and be paused; done when they are closed. */
  | { readonly kind: 'kill'; readonly database: string | undefined }
  /** Done when no server connection is left that was to be closed. */
  | { readonly kind: 'wait_close'; readonly database: string | undefined }
  /** Refuse new clients. */
  | { readonly kind: 'disable'; readonly database: string }
  | { readonly kind: 'enable'; readonly database: string }
  | { readonly kind: 'kill-client'; readonly id: number }
  /** Read the file again, apply it whole or refuse it whole. */
  | { readonly kind: 'reload' }
  /** Send what is buffered, and read nothing more. */
  | { readonly kind: 'suspend' }
  /** `now` is never done: the connection ends with the process. */
  | { readonly kind: 'shutdown'; readonly mode: ShutdownMode }
  /** `value` undefined: back to what the file says. */
  | { readonly kind: 'set'; readonly key: string; readonly value: string | undefined };

export type OrderOutcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly failure: AdminFailure };

/** Carries orders out. `done` is called once, at once or later; later it may be too late for anybody to hear it. */
export interface AdminActions {
  readonly perform: (order: AdminOrder, done: (outcome: OrderOutcome) => void) => void;
}

export type OrderCommand = Extract<
  AdminCommand,
  { readonly kind: 'database' | 'gate' | 'kill-client' | 'reload' | 'suspend' | 'shutdown' | 'set' }
>;

export type Decision =
  | { readonly kind: 'order'; readonly order: AdminOrder; readonly tag: string; readonly notice?: string }
  | { readonly kind: 'refused'; readonly failure: AdminFailure };

/** Whether a command is to be carried out, and the tag of its answer. */
export function decideOrder(command: OrderCommand, facts: AdminFacts, access: AdminAccess): Decision {
  if (access !== 'admin') return refused(FAILURE.adminNeeded());
  switch (command.kind) {
    case 'database':
      return decideDatabase(command.verb, command.database, facts);
    case 'gate':
      return decideGate(command.verb, command.database, facts);
    case 'kill-client':
      return facts.clients.some(({ id }) => id === command.id)
        ? { kind: 'order', order: command, tag: 'KILL_CLIENT' }
        : refused(FAILURE.noClient(command.id));
    case 'reload':
      return { kind: 'order', order: command, tag: 'RELOAD' };
    case 'suspend':
      return decideSuspend(facts);
    case 'shutdown':
      return { kind: 'order', order: command, tag: 'SHUTDOWN' };
    case 'set':
      return decideSet(command.key, command.value, facts);
  }
  return unreachable(command);
}

type DatabaseCommand = Extract<AdminCommand, { readonly kind: 'database' }>;

function decideDatabase(
  verb: DatabaseCommand['verb'],
  database: string | undefined,
  facts: AdminFacts,
): Decision {
  const decided: Decision = { kind: 'order', order: { kind: verb, database }, tag: verb.toUpperCase() };
  const begins = verb === 'pause' || verb === 'kill';
  if (begins && facts.state !== 'active') return refused(FAILURE.alreadyPaused());
  if (database === undefined) {
    return verb === 'resume' && !isAnythingPaused(facts) ? refused(FAILURE.notPaused()) : decided;
  }
  if (isAdminDatabase(database)) return refused(FAILURE.consoleItself(verb, database));
  const known = facts.databases.find(({ name }) => name === database);
  if (known === undefined) {
    // A database needs no entry in the file, so one that nobody has used yet may be meant.
    return verb === 'pause'
      ? { ...decided, notice: unused(database) }
      : refused(FAILURE.noDatabase(database));
  }
  return verb === 'resume' && !known.isPaused ? refused(FAILURE.databaseNotPaused(database)) : decided;
}

/** RESUME without a database also ends what KILL has paused, database by database. */
function isAnythingPaused({ state, databases }: AdminFacts): boolean {
  return state !== 'active' || databases.some(({ isPaused }) => isPaused);
}

function decideGate(verb: 'disable' | 'enable', database: string | undefined, facts: AdminFacts): Decision {
  if (database === undefined) return refused(FAILURE.databaseRequired());
  if (isAdminDatabase(database)) return refused(FAILURE.consoleItself(verb, database));
  const decided: Decision = { kind: 'order', order: { kind: verb, database }, tag: verb.toUpperCase() };
  if (facts.databases.some(({ name }) => name === database)) return decided;
  return verb === 'disable'
    ? { ...decided, notice: unused(database) }
    : refused(FAILURE.noDatabase(database));
}

function decideSuspend(facts: AdminFacts): Decision {
  if (facts.state !== 'active') return refused(FAILURE.alreadyPaused());
  if (facts.databases.some(({ isPaused }) => isPaused)) return refused(FAILURE.pausedDatabases());
  return { kind: 'order', order: { kind: 'suspend' }, tag: 'SUSPEND' };
}

function decideSet(key: string, value: string | undefined, facts: AdminFacts): Decision {
  const entry = facts.config.find((each) => each.key === key);
  if (entry === undefined) return refused(FAILURE.unknownParameter(key));
  if (!entry.isChangeable) return refused(FAILURE.fixedParameter(key));
  return { kind: 'order', order: { kind: 'set', key, value }, tag: 'SET' };
}

function unused(database: string): string {
  return `database "${database}" is not in use yet`;
}

function refused(failure: AdminFailure): Decision {
  return { kind: 'refused', failure };
}
