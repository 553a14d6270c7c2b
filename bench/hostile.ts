/**
 * What one client can do to another: a client asks `SELECT 1` again and again and writes down how long each took, while
 * another one sends what is made to be expensive. Peers take turns in each round, as does a round in which nobody is
 * hostile; the wait that counts is the longest of a round, in the middle of all rounds.
 */
// oxlint-disable unicorn/require-post-message-target-origin -- a thread, not a window
import { Worker } from 'node:worker_threads';
import { WireClient } from '../test/support/wire-client.ts';
import { Query } from '../src/wire/index.ts';
import { ATTACKS, type Attack, type HostileWork, statementsOf } from './hostile-client.ts';
import type { Peer } from './peers.ts';
import { APP } from './stage.ts';

/** Waits of the other client, in ms. */
export interface Waits {
  readonly p50: number;
  readonly p99: number;
  /** The longest of a round: the median of all rounds, and the longest of all. */
  readonly longest: number;
  readonly longestOfAll: number;
}

export type HostileResult = ReadonlyMap<Attack, ReadonlyMap<string, Waits>>;

const PROGRAM = new URL('./hostile-client.js', import.meta.url);
const ROUNDS_FOR_WARMTH = 1;

export async function measureHostile(
  peers: readonly Peer[],
  rounds: number,
  tell: (line: string) => void,
): Promise<HostileResult> {
  const waits = new Map(
    ATTACKS.map((attack) => [attack, new Map<string, number[][]>(peers.map(({ name }) => [name, []]))]),
  );
  let from = 0;
  for (let round = -ROUNDS_FOR_WARMTH; round < rounds; round += 1) {
    tell(round < 0 ? 'warming up' : `round ${round + 1} of ${rounds}`);
    for (const attack of ATTACKS) {
      for (const peer of peers) {
        const seen = await waitsDuring(peer, attack, from);
        from += statementsOf(attack);
        if (round >= 0) waits.get(attack)?.get(peer.name)?.push(seen);
      }
    }
  }
  return new Map(
    [...waits].map(([attack, byPeer]) => [
      attack,
      new Map([...byPeer].map(([name, each]) => [name, summary(each)])),
    ]),
  );
}

/** How long each `SELECT 1` took while the attack lasted. */
async function waitsDuring(peer: Peer, attack: Attack, from: number): Promise<number[]> {
  const login = { ...peer.address, ...APP };
  const client = await WireClient.connect(login);
  const during = { isOver: false };
  const attacked = attacking({ login, attack, from }).finally(() => {
    during.isOver = true;
  });
  const waits: number[] = [];
  while (!during.isOver) {
    const askedAt = performance.now();
    client.send([Query('SELECT 1')]);
    if (!(await client.answered()) || client.isClosed)
      throw new Error(`${peer.name}, ${attack}: the other client got no answer`);
    waits.push(performance.now() - askedAt);
    client.lines.length = 0;
  }
  await attacked;
  await client.end();
  return waits;
}

async function attacking(work: HostileWork): Promise<void> {
  const thread = new Worker(PROGRAM);
  thread.postMessage(work);
  await new Promise<void>((resolve, reject) => {
    thread.once('message', () => resolve());
    thread.once('error', reject);
    thread.once('exit', (code) => reject(new Error(`${work.attack}: ended with ${code}`)));
  });
}

function summary(rounds: readonly (readonly number[])[]): Waits {
  const all = rounds.flat().sort(byValue);
  const longest = rounds.map((waits) => Math.max(...waits)).sort(byValue);
  return {
    p50: at(all, 0.5),
    p99: at(all, 0.99),
    longest: at(longest, 0.5),
    longestOfAll: at(longest, 1),
  };
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function byValue(left: number, right: number): number {
  return left - right;
}
