/**
 * The original router through everything that happens to a cluster: the primary's host killed, the old primary back, a
 * switchover, a standby gone and back. After each, pgpool-II of every datacenter writes to the new primary and spreads
 * reads over all that live, without a hand; told is how long that took.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import {
  type AppHost,
  askRouter,
  connectLab,
  type DbHost,
  poolNodes,
  readView,
} from '../../src/lab/index.ts';
import { primaryOf } from '../../src/topology/index.ts';
import { matriarch } from './command.ts';
import type { TestLab } from './lab.ts';

export interface RoundLimits {
  readonly writesMs: number;
  readonly readsMs: number;
}

export interface Figure {
  readonly what: string;
  /** Until the last of the three writes to the right server, … */
  readonly writesMs: number;
  /** … and until the last spreads reads over all that live. */
  readonly readsMs: number;
}

/** One round. Rejects when a limit is passed, with what was seen. */
export async function playRound(
  lab: TestLab,
  limits: RoundLimits,
  tell: (figure: Figure) => void,
): Promise<void> {
  const { dbHosts } = lab.layout;
  const after = async (what: string, cause: () => Promise<unknown>, gone?: DbHost): Promise<void> => {
    const began = performance.now();
    await cause();
    const living = dbHosts.filter((host) => host !== gone);
    const writesMs = await whenAll(lab, { what, began, limitMs: limits.writesMs }, writesRight);
    const readsMs = await whenAll(lab, { what, began, limitMs: limits.readsMs }, async (host) =>
      readsSpread(host, living),
    );
    tell({ what, writesMs, readsMs });
  };
  const first = await primaryHost(lab);
  await after('primary killed', async () => await lab.verb('kill', first.name), first);
  await after('old primary back', async () => await lab.verb('start', first.name));
  const second = await primaryHost(lab);
  await after('switchover', async () => await switchover(lab, second, first));
  const [standby] = dbHosts.filter((host) => host !== first);
  if (standby === undefined) throw new Error('the lab has no standby');
  await after('standby killed', async () => await lab.verb('kill', standby.name), standby);
  await after('standby back', async () => await lab.verb('start', standby.name));
}

/** The share that each datacenter's pgpool-II gives to its servers: 10 of 12 to its own, 1 of 12 to the others. */
export async function sharesOf(lab: TestLab): Promise<Record<string, string[]>> {
  const shares: Record<string, string[]> = {};
  for (const host of lab.layout.appHosts) {
    const nodes = await poolNodes(host);
    shares[host.name] = lab.layout.dbHosts.map(({ postgres }) => {
      const share = nodes.find(({ hostname }) => hostname === postgres.host)?.lb_weight;
      return (Number(share) * 12).toFixed(1);
    });
  }
  return shares;
}

/** So many sessions of one read each go through every pgpool-II; where they were answered, by database host. */
export async function readsBy(host: AppHost, lab: TestLab, count: number): Promise<number[]> {
  const counts = new Map<string, number>();
  for (let index = 0; index < count; index += 1) {
    const at = await one(host, 'SELECT host(inet_server_addr()) AS at');
    counts.set(at, (counts.get(at) ?? 0) + 1);
  }
  return lab.layout.dbHosts.map(({ postgres }) => counts.get(postgres.host) ?? 0);
}

type Look = (host: AppHost, lab: TestLab) => Promise<string | undefined>;

/** Milliseconds since it began until `look` finds nothing wrong at any host. */
async function whenAll(
  lab: TestLab,
  { what, began, limitMs }: { readonly what: string; readonly began: number; readonly limitMs: number },
  look: Look,
): Promise<number> {
  const times = await Promise.all(
    lab.layout.appHosts.map(async (host) => {
      for (;;) {
        const wrong = await look(host, lab).catch(String);
        const took = performance.now() - began;
        if (wrong === undefined) return took;
        if (took > limitMs)
          throw new Error(`${what}: pgpool-II of ${host.name} not within ${limitMs} ms: ${wrong}`);
        await sleep(100);
      }
    }),
  );
  return Math.max(...times);
}

/** A write is done by who is the primary now. */
async function writesRight(host: AppHost, lab: TestLab): Promise<string | undefined> {
  const at = await one(host, 'INSERT INTO written VALUES (inet_server_addr()) RETURNING host(at) AS at');
  const primary = await primaryName(lab);
  return primary?.postgres.host === at ? undefined : `written at ${at}, the primary is ${primary?.name}`;
}

/** Up is who lives, with a share of its own; the local one has most of it. */
async function readsSpread(host: AppHost, living: readonly DbHost[]): Promise<string | undefined> {
  const nodes = await poolNodes(host);
  const seen = nodes
    .filter(({ status, lb_weight: share }) => status === 'up' && Number(share) > 0)
    .map(({ hostname }) => hostname);
  const wanted = living.map(({ postgres }) => postgres.host);
  const isAll = wanted.length === seen.length && wanted.every((each) => seen.includes(each));
  return isAll ? undefined : `up with a share are ${seen.join(' ')}`;
}

async function switchover(lab: TestLab, from: DbHost, to: DbHost): Promise<void> {
  const config = `${lab.folder}/hosts/${from.name}/matriarch.yaml`;
  const args = ['switchover', '--candidate', to.name, '--config', config];
  const { status, out, err } = await matriarch(args, { cwd: tmpdir(), timeoutMs: 120_000 });
  if (status !== 0) throw new Error(`switchover to ${to.name}: ${out}${err}`);
}

async function primaryHost(lab: TestLab): Promise<DbHost> {
  const found = await primaryName(lab);
  if (found === undefined) throw new Error('there is no primary');
  return found;
}

async function primaryName(lab: TestLab): Promise<DbHost | undefined> {
  const dcs = connectLab(lab.layout, 'dc3');
  try {
    const primary = primaryOf(await readView(dcs));
    return primary.kind === 'none'
      ? undefined
      : lab.layout.dbHosts.find(({ name }) => name === primary.member.name);
  } finally {
    await dcs.close();
  }
}

/** One statement in a session of its own; the column `at` of its row. */
export async function one(host: AppHost, sql: string): Promise<string> {
  const [row] = await askRouter<{ readonly at?: string }>(host, sql);
  return row?.at ?? '';
}
