/**
 * When a server that was a primary may be seen by clients again. A commit that waits for a standby is in the primary's own
 * WAL already: PostgreSQL keeps it from readers while its session waits, and after a restart shows it to all. So a server
 * that was a primary starts closed to clients (its pg_hba.conf lets in the agent and other members only), and is opened
 * when what its recovery has brought is where the cluster's durability wants a commit to be. Pure; the shell is agent/opening.ts.
 *
 *             starts, and was a primary                   enough have it
 *      open ─────────────────────────────▶ closed ──────────────────────────▶ opening (files, reload)
 *       ▲                                     ▲                                  │
 *       │                                     └── the server has started anew ───┤
 *       └─────────────────── the server says that it lets clients in ────────────┘
 *
 * Events are looks at the running server; what it says of itself (`isClosed`) outweighs what we remember, so a new agent
 * goes on where the last one ended. Invariants:
 *  1. A primary is opened only when `acks` of the names that its commits wait for have all that its recovery brought, or
 *     when commits wait for nobody and the store says so. Prevents: rows are read which a failover loses.
 *  2. A standby is opened only while it streams: its WAL, to the last record, is then part of its upstream's history. Prevents:
 *     the same, read on a former primary that waits for who leads next, and is rewound by that.
 *  3. `opening` is never taken back in the same start of the server: clients may be in.
 */
import { unreachable } from '../base/index.ts';
import type { DurabilityMode, Promised, Requirement } from './durability.ts';

export type Opening =
  | { readonly is: 'open' }
  /** `upTo`: where the WAL of the primary ended when it was first seen in this start; undefined on a standby. */
  | { readonly is: 'closed' | 'opening'; readonly start: string; readonly upTo: number | undefined };

export const OPEN: Opening = { is: 'open' };

export interface SeenPrimary {
  readonly role: 'primary';
  readonly self: string;
  /** All that its recovery brought is before the first one that is seen. */
  readonly flushLsn: number;
  readonly required: Requirement;
  readonly published: Promised;
  readonly standbys: readonly { readonly name: string; readonly flushLsn: number }[];
}

export interface SeenStandby {
  readonly role: 'standby';
  readonly isStreaming: boolean;
}

/** A look at the running server. */
export type Seen = (SeenPrimary | SeenStandby) & {
  /** Tells one start of the server from another. */
  readonly start: string;
  /** By the configuration that it has read. */
  readonly isClosed: boolean;
  readonly mode: DurabilityMode;
};

export function nextOpening(before: Opening, seen: Seen): Opening {
  if (!seen.isClosed) return OPEN;
  const known = before.is !== 'open' && before.start === seen.start ? before : undefined;
  if (known?.is === 'opening') return known;
  const upTo = seen.role === 'primary' ? (known?.upTo ?? seen.flushLsn) : undefined;
  return { is: mayOpen(seen, upTo) ? 'opening' : 'closed', start: seen.start, upTo };
}

function mayOpen(seen: Seen, upTo: number | undefined): boolean {
  if (seen.mode.is === 'asynchronous') return true;
  switch (seen.role) {
    case 'standby':
      return seen.isStreaming;
    case 'primary':
      return upTo !== undefined && isSafeToShow(seen, upTo, seen.mode.isStrict);
  }
  return unreachable(seen);
}

function isSafeToShow(
  { self, required, published, standbys }: SeenPrimary,
  upTo: number,
  isStrict: boolean,
): boolean {
  if (required.acks > 0) {
    const have = required.names.filter((name) =>
      standbys.some((each) => isSameName(each.name, name) && each.flushLsn >= upTo),
    );
    return have.length >= required.acks;
  }
  // Nobody is there to wait for: the store has to say so first, for by what it said before others may have been promised.
  return !isStrict && published.leader === self && published.voters.length === 0;
}

/** As PostgreSQL compares `application_name` with `synchronous_standby_names`; members whose names are the same so do not run. */
export function isSameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
