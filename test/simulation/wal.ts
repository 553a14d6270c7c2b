/**
 * WAL as a history: branches (timelines, each written by one server) that part from one another at a position. A
 * server's WAL is a branch and a position on it; a record is on a branch and ends at a position. So whether a server
 * has a record is exact, however often histories part. Two servers promoted apart may give their branches the same
 * number, as PostgreSQL does: they are different branches all the same.
 */
export interface Branch {
  /** PostgreSQL's timeline. */
  readonly number: number;
  readonly parent: Branch | undefined;
  /** Where it parts from its parent; bytes. */
  readonly startLsn: number;
  /** The one server that writes it. */
  readonly writer: string;
}

export interface Position {
  readonly branch: Branch;
  readonly lsn: number;
}

/** How far `at` agrees with the branch `with`; undefined when that is none of its ancestors nor itself. */
export function sharedUntil(at: Position, with_: Branch): number | undefined {
  let limit = at.lsn;
  for (let branch: Branch | undefined = at.branch; branch !== undefined; branch = branch.parent) {
    if (branch === with_) return limit;
    limit = Math.min(limit, branch.startLsn);
  }
  return undefined;
}

/** The position has everything up to and with the record that ends at `record.lsn`. */
export function holds(at: Position, record: Position): boolean {
  const limit = sharedUntil(at, record.branch);
  return limit !== undefined && record.lsn <= limit;
}

/** Where two histories part. */
export function forkOf(one: Position, other: Position): Position {
  for (let branch: Branch | undefined = one.branch; branch !== undefined; branch = branch.parent) {
    const [mine, theirs] = [sharedUntil(one, branch), sharedUntil(other, branch)];
    if (mine !== undefined && theirs !== undefined) return { branch, lsn: Math.min(mine, theirs) };
  }
  throw new Error('histories of different clusters never meet');
}

/** The timeline history file's lines: what ended where, oldest first. */
export function switchesOf(branch: Branch): { timeline: number; lsn: number; reason: string }[] {
  const switches: { timeline: number; lsn: number; reason: string }[] = [];
  for (let at = branch; at.parent !== undefined; at = at.parent)
    switches.unshift({
      timeline: at.parent.number,
      lsn: at.startLsn,
      reason: 'no recovery target specified',
    });
  return switches;
}
