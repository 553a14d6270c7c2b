/**
 * Where a server is in the WAL, by its own word, and what follows from it. Positions are bytes as numbers (< 2^53). They
 * compare only on one timeline, or on the common part of two: past that, equal numbers are different histories. Pure.
 */

/** What a server said in one answer. */
export interface Position {
  /** Monotonic ms, before the question was sent: what is said was so at this time or later. */
  readonly askedAt: number;
  /** Monotonic ms, when the answer was there. */
  readonly answeredAt: number;
  /**
   * Number of the connection that told it, never used twice. A server process does not outlive a restart of its server, so
   * two answers with one number are of one incarnation. (A promotion does not end connections: it is seen in the answer.)
   */
  readonly connection: number;
  /** Monotonic ms: the server process that has told it is there since then. */
  readonly connectedAt: number;
  readonly isInRecovery: boolean;
  readonly timeline: number;
  /** Of a primary: the end of what was put into WAL; and of what was written of it. */
  readonly insertLsn: number | undefined;
  readonly writeLsn: number | undefined;
  /** Of a standby: reads see all up to it. They may see more: redo shows a commit before it counts it as replayed. */
  readonly replayLsn: number | undefined;
  /** Of a standby: no read has seen what lies behind it. Undefined: it cannot tell, since it redoes what no stream feeds it. */
  readonly boundLsn: number | undefined;
  /** Of its snapshot: all transactions below `xmin` have ended, none from `xmax` on has. */
  readonly xmin: number;
  readonly xmax: number;
  readonly isReplayPaused: boolean;
  /** A standby with a connection to where its WAL comes from. */
  readonly isStreaming: boolean;
  /** Wall clock of the primary, ms, at the commit replayed last; undefined: none since the start, or a primary. */
  readonly replayedCommitAtMs: number | undefined;
}

/** A read there sees all that was committed up to `lsn`. Of one timeline; the caller knows which. */
export function hasReached(position: Position, lsn: number): boolean {
  const seen = position.isInRecovery ? position.replayLsn : position.insertLsn;
  return seen !== undefined && seen >= lsn;
}
