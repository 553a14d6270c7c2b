/**
 * Where a unit of work may run, as values: what a classification needs, how needs of one batch add up, and the
 * closed set of reasons that logs, metrics and errors use. Pure; who serves it is the world's to say (world.ts).
 */
import { unreachable } from '../base/index.ts';
import type { Classification, SqlReason } from '../sql/index.ts';
import { NO_PRIMARY_REASONS, type NoPrimaryReason } from '../topology/index.ts';

/** `anywhere`: any server connection of the session will do, an open one first. */
export type Need = 'anywhere' | 'read' | 'primary';

/** What a unit of work is to the router. */
export interface Intent {
  readonly need: Need;
  /** It may have changed something once it was sent: never run it twice. */
  readonly writes: boolean;
  /** It leaves state that only the primary's connection has: the session stays there. */
  readonly pins: boolean;
  /** How it ends an open transaction, if it does. */
  readonly ends: 'commit' | 'rollback' | undefined;
  /** It uses or frees what the session has left on a connection: where that is, it is to run. */
  readonly usesState?: true;
  /** AND CHAIN: it wants another transaction at once, which only a server can begin. */
  readonly chains?: true;
}

const ANYWHERE: Intent = { need: 'anywhere', writes: false, pins: false, ends: undefined };
const READ: Intent = { need: 'read', writes: false, pins: false, ends: undefined };
const AT_PRIMARY: Intent = { need: 'primary', writes: false, pins: false, ends: undefined };
const WRITE: Intent = { need: 'primary', writes: true, pins: false, ends: undefined };
const WRITE_AT_STATE: Intent = { ...WRITE, usesState: true };
/** One text with a write and a COMMIT or ROLLBACK inside: in an open transaction it may have committed it. */
const WRITE_AND_END: Intent = { need: 'primary', writes: true, pins: false, ends: 'commit' };
const SESSION: Intent = { need: 'primary', writes: true, pins: true, ends: undefined };
const COMMIT: Intent = { need: 'anywhere', writes: false, pins: false, ends: 'commit' };
/** Where no transaction is open, it is a warning at a primary, and refused by a standby. */
const PREPARE_TRANSACTION: Intent = { ...COMMIT, need: 'primary' };
const ROLLBACK: Intent = { need: 'anywhere', writes: false, pins: false, ends: 'rollback' };
const COMMIT_AND_CHAIN: Intent = { ...COMMIT, chains: true };
const ROLLBACK_AND_CHAIN: Intent = { ...ROLLBACK, chains: true };

/** For work that nobody classified (a function call, a text too long): as strict as can be. */
export const UNKNOWN_INTENT: Intent = WRITE;
/** For what runs a statement that only the server knows, which SQL has prepared there. */
export const UNKNOWN_AT_STATE: Intent = WRITE_AT_STATE;

export function intentOf(found: Classification): Intent {
  switch (found.kind) {
    case 'empty':
      return ANYWHERE;
    case 'set':
      return ANYWHERE;
    case 'read':
      return found.transaction?.isolation === 'serializable' ? AT_PRIMARY : READ;
    case 'begin':
      return isForStandby(found.transaction) ? READ : AT_PRIMARY;
    case 'end':
      if (found.chain) return found.outcome === 'rollback' ? ROLLBACK_AND_CHAIN : COMMIT_AND_CHAIN;
      if (found.outcome === 'prepare') return PREPARE_TRANSACTION;
      return found.outcome === 'rollback' ? ROLLBACK : COMMIT;
    case 'write':
      if (found.controlsTransaction) return WRITE_AND_END;
      return usesState(found) ? WRITE_AT_STATE : WRITE;
    case 'session':
      return SESSION;
  }
  return unreachable(found);
}

function usesState({ because, detail = '' }: Pick<Classification, 'because' | 'detail'>): boolean {
  if (because === 'uses-cursor' || because === 'executes-prepared') return true;
  return because === 'function-volatile' && UNLOCKS.test(detail);
}

const UNLOCKS = /^(?:pg_catalog\.)?pg_advisory_unlock(?:_shared|_all)?$/;

/** A standby serves READ ONLY transactions, but refuses serializable ones: even to say so where no transaction is open. */
function isForStandby(transaction: { readonly access: string; readonly isolation: string }): boolean {
  return transaction.access === 'read-only' && transaction.isolation !== 'serializable';
}

/** The stricter of two needs: a batch runs on one server, so one write makes all of it a write. */
export function stricter(one: Need, other: Need): Need {
  return one === 'primary' || other === 'anywhere' ? one : other;
}

/** Why a statement is of its kind; the last two are for what no text was seen of. */
export type RouteReason = SqlReason | 'calls-function' | 'statement-unknown';

/** Why a session stays with one server connection. */
export type PinReason =
  | SqlReason
  | 'settings-unknown'
  /** In session mode: code has run there that may have left what no question finds. */
  | 'runs-code'
  /** The server could not be asked what state there is; it is asked again behind the next statement. */
  | 'state-not-told'
  | 'setting-not-carried'
  | 'statements-past-limit'
  | 'unnamed-past-limit';

/** Why a unit of work needs what it needs: by its class; or something else makes it stricter. */
export type NeedReason =
  | 'its-class'
  | 'wished'
  | 'refused-by-standby'
  | 'its-transaction'
  | 'strong'
  /** The session's transactions are serializable, which standbys refuse. */
  | 'serializable'
  | 'not-whole'
  | 'state-not-carried';

/** Why a member is the one to read from. `nearest`: no member has a weight. */
export type ReaderReason = 'as-wished' | 'by-weight' | 'nearest';

/** Why a unit of work goes to its member. */
export type PlaceReason =
  | ReaderReason
  /** The one to read from had no room. */
  | 'spilled'
  /** The one to read from is not known to have all that must be seen: another; the primary, for want of one. */
  | 'has-what-was-seen'
  | 'nobody-has-it'
  | 'needs-primary'
  | 'in-transaction'
  | 'state-is-there'
  | 'connection-at-hand';

/** Why work is held. */
export type HoldReason =
  | NoPrimaryReason
  | 'dcs-never-reached'
  | 'dcs-contact-stale'
  | 'primary-unreachable'
  | 'primary-not-proven'
  | 'primary-in-recovery'
  | 'primary-on-old-timeline'
  | 'no-server-for-reads'
  | 'no-server-in-step'
  | 'no-server-reachable';

/** Why a server connection was given up. */
export type LossReason =
  | 'connection-lost'
  | 'server-shut-down'
  | 'idle-in-transaction'
  | 'leader-changed'
  | 'member-gone'
  | 'held-too-long'
  | 'settings-refused'
  | 'primary-unknown'
  | 'given-up';

/** The reason in words for a person; the only place where it is rendered. */
export const HOLD_REASONS: Readonly<Record<HoldReason, string>> = {
  ...NO_PRIMARY_REASONS,
  'dcs-never-reached': 'the router has not reached etcd since it was started',
  'dcs-contact-stale': 'the router has lost contact with etcd for longer than a lease lasts',
  'primary-unreachable': 'the primary cannot be reached',
  'primary-not-proven': 'the primary has not answered what it is',
  'primary-in-recovery': 'the leader is still a standby',
  'primary-on-old-timeline': 'the leader is on an older timeline than the cluster has been',
  'no-server-for-reads': 'no member serves reads at the moment',
  'no-server-in-step': 'no server is known to have all that must be seen',
  'no-server-reachable': 'no PostgreSQL server of the cluster can be reached',
};
