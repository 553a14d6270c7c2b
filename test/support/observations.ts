/** Builders of observations for tests of `ha`: a calm standby that follows `beta`, with changes. */
import {
  type ClusterFacts,
  freshMemory,
  type LeaderFacts,
  type LocalServer,
  type Observation,
  type PeerAnswer,
} from '../../src/ha/index.ts';

export const NOW = 100_000;

export function aLocal(changes: Partial<LocalServer> = {}): LocalServer {
  return {
    data: 'whole',
    process: 'running',
    role: 'standby',
    crashed: false,
    systemId: '7000000000000000001',
    timeline: 3,
    lsn: 1000,
    replayedLsn: 1000,
    streaming: true,
    upstream: 'beta',
    unanswered: 0,
    ...changes,
  };
}

export function aLeader(changes: Partial<LeaderFacts> = {}): LeaderFacts {
  return { name: 'beta', isUsable: true, hasCheckpointed: true, divergence: 'none', ...changes };
}

export function aCluster(changes: Partial<ClusterFacts> = {}): ClusterFacts {
  return {
    systemId: '7000000000000000001',
    hasTraces: false,
    isClaimOurs: false,
    leader: aLeader(),
    cascade: undefined,
    newestTimeline: 3,
    takenTimeline: 3,
    optime: 1000,
    request: undefined,
    maximumLagBytes: 500,
    promised: undefined,
    syncRevision: 0,
    isPaused: false,
    ...changes,
  };
}

export function aPeer(changes: Partial<PeerAnswer> = {}): PeerAnswer {
  return {
    name: 'beta',
    isNofailover: false,
    priority: 1,
    isSameCity: false,
    isRunning: true,
    role: 'standby',
    isHeldBack: false,
    timeline: 3,
    lsn: 1000,
    ...changes,
  };
}

export function anObservation(changes: Partial<Observation> = {}): Observation {
  return {
    now: NOW,
    self: { name: 'alpha', isNofailover: false, priority: 1, isSameCity: false },
    local: aLocal(),
    lock: { is: 'other', leader: 'beta' },
    cluster: aCluster(),
    failsafe: { key: 'absent', revision: 0, boundForMs: 0, aliveForMs: 600_000 },
    peers: undefined,
    job: undefined,
    isBootstrapping: false,
    order: undefined,
    retryAt: undefined,
    memory: freshMemory,
    limits: {
      ttlMs: 5000,
      stepDownMs: 600,
      courtesyMs: 2000,
      streamPatienceMs: 20_000,
      cascadePatienceMs: 10_000,
      cascadeShunMs: 120_000,
      stopPatienceMs: 5000,
      bootstrapGraceMs: 0,
      startPatienceMs: 300_000,
    },
    ...changes,
  };
}
