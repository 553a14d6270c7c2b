/** A standby's answer about where it is, for tests of what follows from it. */
import type { Position } from '../../src/routing/index.ts';

export function aPosition(changes: Partial<Position> = {}): Position {
  return {
    askedAt: 1,
    answeredAt: 2,
    connection: 1,
    connectedAt: 0,
    xmin: 1,
    xmax: 1,
    isInRecovery: true,
    timeline: 1,
    insertLsn: undefined,
    writeLsn: undefined,
    replayLsn: 100,
    boundLsn: 100,
    isReplayPaused: false,
    isStreaming: true,
    replayedCommitAtMs: undefined,
    ...changes,
  };
}
