/**
 * Looks for sessions that go back in time: 32 clients of a router, each of which writes its own row and reads all rows, while
 * standbys are made late on purpose, or stopped and started. Every row only counts up, so that each answer can be judged:
 *
 *   read your writes   its own row has at least what its last acknowledged write made of it
 *   monotonic reads    no row has less than the session has seen in it before
 *   cross-session      no row has less than any session had acknowledged before the read was sent
 */
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { z } from 'zod';
import { type Level } from '../../src/routing/index.ts';
import type { TestMember } from './postgres.ts';
import { sql } from './sql.ts';
import { aRouter, aStage, type RunningRouter, type Stage } from './router.ts';

const SESSIONS = 32;
const THINK_MS = 3;
const TROUBLE_MS = 1200;
const APP = { user: 'app', password: 'app', database: 'app' };
/** The standby of the router's own datacenter, and the other one. */
const LATE = 'n2';
const OTHER = 'n3';

/** What was judged, and how many answers were steps back of each kind. */
export interface Found {
  readonly reads: number;
  readonly writes: number;
  readonly ownWrites: number;
  readonly backwards: number;
  readonly others: number;
}

export interface Travels extends Found {
  /** The first few in words. */
  readonly examples: readonly string[];
  /** Share of reads at the router's own standby while nobody was late, and of all. */
  readonly localInStep: number;
  readonly local: number;
  /** Longest read, ms. */
  readonly longestMs: number;
  readonly moved: Readonly<Record<string, number>>;
}

/** A cluster in which the router's own datacenter has the standby n2, and commits wait for one standby. */
export async function aTravelStage(t: TestContext): Promise<Stage> {
  const stage = await aStage(t);
  await stage.publish('n1', { role: 'primary', tags: { datacenter: 'dc2' } });
  await stage.publish(LATE, { tags: { datacenter: 'dc1' } });
  await sql(stage.nodes.n1, 'CREATE TABLE steps (k int PRIMARY KEY, v bigint NOT NULL)', APP);
  await sql(stage.nodes.n1, `INSERT INTO steps SELECT k, 0 FROM generate_series(1, ${SESSIONS}) AS k`, APP);
  await set(stage.nodes.n1, 'synchronous_standby_names', "'ANY 1 (*)'");
  return stage;
}

/** A busy machine gets so many times longer to see enough. */
const PATIENCE = 6;

/** For `ms`, and on until it `isEnough`. */
export async function travel(
  t: TestContext,
  stage: Stage,
  {
    level,
    ms,
    isEnough,
  }: { readonly level: Level; readonly ms: number; readonly isEnough?: (seen: Found) => boolean },
): Promise<Travels> {
  const router = await aRouter(t, stage, [`consistency: ${level}`, 'weights: { local: 10, remote: 1 }']);
  const run = new Run(router);
  const clients = await Promise.all(
    Array.from({ length: SESSIONS }, async () => {
      const client = new Client(router.as());
      await client.connect();
      return client;
    }),
  );
  const stopping = new AbortController();
  const sessions = clients.map(
    async (client, index) => await run.session(client, index + 1, stopping.signal),
  );
  const troubles = new Troubles(stage, run);
  const startedAt = performance.now();
  const goesOn = (elapsedMs: number): boolean =>
    elapsedMs < ms || (isEnough?.(run.found) === false && elapsedMs < PATIENCE * ms);
  try {
    while (goesOn(performance.now() - startedAt)) await troubles.next();
  } finally {
    await troubles.end();
    stopping.abort();
    await Promise.allSettled(sessions);
    await Promise.all(clients.map(async (client) => await client.end()));
  }
  await Promise.all(sessions);
  const travels = { ...run.result(await run.places()), moved: await movedReads(router) };
  await router.stop();
  return travels;
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

/** What is found, in words. */
export function inWords(travels: Travels): string {
  return [
    `${travels.reads} reads, ${travels.writes} writes; went back: ${travels.ownWrites} behind their own writes,`,
    `${travels.backwards} behind their own reads, ${travels.others} behind others' writes;`,
    `local reads: ${percent(travels.localInStep)} while in step, ${percent(travels.local)} of all;`,
    `longest read ${travels.longestMs.toFixed(0)} ms; moved: ${JSON.stringify(travels.moved)}`,
    ...travels.examples,
  ].join('\n  ');
}

class Run {
  readonly #router: RunningRouter;
  readonly #acknowledged = new Map<number, number>();
  readonly #examples: string[] = [];
  #reads = 0;
  #writes = 0;
  #ownWrites = 0;
  #backwards = 0;
  #others = 0;
  #longestMs = 0;
  readonly #inStep = { local: 0, all: 0 };

  constructor(router: RunningRouter) {
    this.#router = router;
  }

  async session(client: Client, own: number, signal: AbortSignal): Promise<void> {
    const seen = new Map<number, number>();
    let written = 0;
    while (!signal.aborted) {
      if (Math.random() < 0.2) {
        written = await this.#write(client, own);
        seen.set(own, written);
        this.#acknowledged.set(own, written);
      } else await this.#read(client, { own, written, seen });
      if (Math.random() < 0.5) await sleep(Math.random() * THINK_MS);
    }
  }

  /** Reads so far at the router's own standby, and all. */
  async places(): Promise<{ readonly local: number; readonly all: number }> {
    const counts = await this.#router.counts();
    const reads = Object.values(counts).map((count) => count.reads);
    return { local: counts[LATE]?.reads ?? 0, all: reads.reduce((sum, one) => sum + one, 0) };
  }

  wasInStep(local: number, all: number): void {
    this.#inStep.local += local;
    this.#inStep.all += all;
  }

  get found(): Found {
    const [ownWrites, backwards, others] = [this.#ownWrites, this.#backwards, this.#others];
    return { reads: this.#reads, writes: this.#writes, ownWrites, backwards, others };
  }

  result(places: { readonly local: number; readonly all: number }): Omit<Travels, 'moved'> {
    return {
      ...this.found,
      examples: this.#examples,
      localInStep: this.#inStep.local / Math.max(1, this.#inStep.all),
      local: places.local / Math.max(1, places.all),
      longestMs: this.#longestMs,
    };
  }

  async #write(client: Client, own: number): Promise<number> {
    const text = `UPDATE steps SET v = v + 1 WHERE k = ${own} RETURNING v`;
    const { rows } = await client.query<{ v: string }>(text);
    this.#writes += 1;
    return Number(rows[0]?.v);
  }

  async #read(
    client: Client,
    session: { readonly own: number; readonly written: number; readonly seen: Map<number, number> },
  ): Promise<void> {
    const { own, written, seen } = session;
    const before = new Map(this.#acknowledged);
    const sentAt = performance.now();
    const { rows } = await client.query<{ k: number; v: string }>('SELECT k, v FROM steps');
    this.#longestMs = Math.max(this.#longestMs, performance.now() - sentAt);
    this.#reads += 1;
    const found = { ownWrites: 0, backwards: 0, others: 0 };
    for (const { k, v: text } of rows) {
      const v = Number(text);
      if (k === own && v < written) found.ownWrites += 1;
      if (v < (seen.get(k) ?? 0)) found.backwards += 1;
      if (v < (before.get(k) ?? 0)) found.others += 1;
      seen.set(k, Math.max(v, seen.get(k) ?? 0));
    }
    if (found.ownWrites + found.backwards > 0 && this.#examples.length < 5)
      this.#examples.push(`session ${own} at ${Math.round(sentAt)} ms: ${JSON.stringify(found)}`);
    this.#ownWrites += found.ownWrites;
    this.#backwards += found.backwards > 0 ? 1 : 0;
    this.#others += found.others > 0 ? 1 : 0;
  }
}

/** One trouble after another, with times in between in which all is well. */
class Troubles {
  readonly #stage: Stage;
  readonly #run: Run;
  #turn = 0;

  constructor(stage: Stage, run: Run) {
    this.#stage = stage;
    this.#run = run;
  }

  async next(): Promise<void> {
    const { n2, n3 } = this.#stage.nodes;
    switch (this.#turn++ % 5) {
      case 1:
      case 3: {
        await sleep(300);
        const before = await this.#run.places();
        await sleep(TROUBLE_MS);
        const after = await this.#run.places();
        this.#run.wasInStep(after.local - before.local, after.all - before.all);
        return;
      }
      case 0:
        await set(n2, 'recovery_min_apply_delay', "'400ms'");
        await sleep(TROUBLE_MS);
        await set(n2, 'recovery_min_apply_delay', '0');
        return;
      case 2:
        await order(n3, 'SELECT pg_wal_replay_pause()');
        await sleep(TROUBLE_MS);
        await order(n3, 'SELECT pg_wal_replay_resume()');
        return;
      default:
        await n3.control.stop({ mode: 'immediate', deadlineMs: 5000 });
        await n3.control.start({ as: 'standby' });
    }
  }

  async end(): Promise<void> {
    await set(this.#stage.nodes[LATE], 'recovery_min_apply_delay', '0');
    await order(this.#stage.nodes[OTHER], 'SELECT pg_wal_replay_resume()');
  }
}

/** As the superuser; a busy machine has time. */
async function order(member: TestMember, ...texts: string[]): Promise<void> {
  const { password } = member.settings.authentication.superuser;
  const client = new Client({ ...member.address, user: 'postgres', password, database: 'postgres' });
  await client.connect();
  try {
    for (const text of texts) await client.query(text);
  } finally {
    await client.end();
  }
}

async function set(member: TestMember, name: string, value: string): Promise<void> {
  await order(member, `ALTER SYSTEM SET ${name} = ${value}`, 'SELECT pg_reload_conf()');
}

const METRIC = /^matriarch_router_reads_moved_total\{outcome="([a-z-]+)"\} (\d+)$/gm;

async function movedReads(router: RunningRouter): Promise<Record<string, number>> {
  const text = z.string().parse(await (await fetch(`${router.http}/metrics`)).text());
  return Object.fromEntries(
    Array.from(text.matchAll(METRIC), ([, outcome = '', value]) => [outcome, Number(value)]),
  );
}
