/** Failsafe in the simulation, with one fault and nothing else: etcd has no quorum for several lives of a lease. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { FaultWorld } from './fault-means.ts';
import type { Host } from './host.ts';
import { play } from './world.ts';

const SEEDS = Array.from({ length: 12 }, (_, index) => index + 1);
/** After the begin of the trouble: a cluster that was stopped needs a while to be whole. */
const QUORUM_LOST_MS = 25_000;
const OUTAGE_MS = 40_000;
const WINDOW_MS = 5000;

interface Seen {
  /** Who could acknowledge writes, time after time while there was no quorum. */
  readonly writers: Set<string>;
  /** When somebody last could, after the quorum was lost. */
  lastMs: number;
  /** Bytes of WAL that were written in each window. */
  readonly written: number[];
  leader: Host | undefined;
  timeline: number;
}

/** Without a quorum for some time; `meanwhile` happens in its middle. */
async function outage(seed: number, meanwhile: (leader: Host, others: readonly Host[]) => void) {
  const seen: Seen = { writers: new Set(), lastMs: 0, written: [], leader: undefined, timeline: 0 };
  let inMiddle: (() => void) | undefined;
  const result = await play(seed, undefined, (world, fromMs) => {
    const from = fromMs + QUORUM_LOST_MS;
    const { events, store, hosts, layout } = world;
    events.after(from, undefined, () => {
      for (const member of store.members.slice(1)) member.isUp = false;
      store.reconsider();
      const name = store.data.get(layout.leader)?.value;
      const leader = hosts.find(({ site }) => site.name === name);
      if (leader === undefined) return;
      seen.leader = leader;
      seen.timeline = leader.server.wal.branch.number;
      inMiddle = () =>
        meanwhile(
          leader,
          hosts.filter((host) => host !== leader),
        );
      watch(world, leader, { seen, from });
    });
    events.after(from + OUTAGE_MS / 2, undefined, () => inMiddle?.());
    events.after(from + OUTAGE_MS, undefined, () => {
      for (const member of store.members) member.isUp = true;
      for (const host of hosts) host.isAgentWanted = true;
      for (const host of hosts) host.startAgent();
      store.reconsider();
    });
    return from + OUTAGE_MS;
  });
  return { ...result, seen };
}

function watch(world: FaultWorld, leader: Host, { seen, from }: { seen: Seen; from: number }): void {
  const { events, hosts } = world;
  let before = leader.server.wal.lsn;
  let windowEnds = events.now + WINDOW_MS;
  const look = (): void => {
    for (const { server } of hosts) {
      if (!server.mayAcknowledge) continue;
      seen.writers.add(server.name);
      seen.lastMs = events.now - from;
    }
    if (events.now >= windowEnds) {
      seen.written.push(leader.server.wal.lsn - before);
      before = leader.server.wal.lsn;
      windowEnds += WINDOW_MS;
    }
    if (events.now < from + OUTAGE_MS) events.after(20, undefined, look);
  };
  look();
}

test('without a quorum for eight lives of a lease the primary goes on, and is still the leader afterwards', async () => {
  for (const seed of SEEDS) {
    const { problems, seen } = await outage(seed, () => {});
    deepEqual(problems, [], `seed ${seed}`);
    equal(seen.writers.size, 1, `seed ${seed}`);
    const server = seen.leader?.server;
    ok(server?.mayAcknowledge, `seed ${seed}: the primary is another one`);
    equal(server.wal.branch.number, seen.timeline, `seed ${seed}: it was promoted again`);
    ok(
      seen.written.length >= 7 && seen.written.every((bytes) => bytes > 0),
      `${seed}: ${seen.written.join(' ')}`,
    );
  }
});

test('a member that is listed falls silent meanwhile: the primary is stopped within a life of a lease', async () => {
  for (const seed of SEEDS) {
    const { problems, seen } = await outage(seed, (_, [other]) => {
      if (other === undefined) return;
      other.isAgentWanted = false;
      other.killAgent();
    });
    deepEqual(problems, [], `seed ${seed}`);
    equal(seen.writers.size, 1, `seed ${seed}`);
    ok(seen.lastMs >= OUTAGE_MS / 2 && seen.lastMs <= OUTAGE_MS / 2 + 5000, `${seed}: ${seen.lastMs}`);
  }
});
