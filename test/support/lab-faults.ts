/** What befalls a cluster in a lab, and how it is made good again; the cluster itself must come round without a hand. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pause } from '../../src/base/index.ts';
import { connectLab, type DbHost, killHost, labPaths, labProcesses, type Part } from '../../src/lab/index.ts';
import { eventually } from './eventually.ts';
import type { TestLab } from './lab.ts';

export interface Fault {
  readonly name: string;
  /** Longest time without writes that is aimed at. Milliseconds. */
  readonly aimMs: number;
  /** Strikes; resolves when it has. */
  readonly strike: (lab: TestLab, leader: DbHost) => Promise<void>;
  /** Puts back what an operator or an init system would; nothing for what comes back by itself. */
  readonly heal: (lab: TestLab, leader: DbHost) => Promise<void>;
}

const WHOLE_MS = 120_000;
const LISTED_MS = 20_000;
const CALL = { timeoutMs: 2000 };
const nothing = async (): Promise<void> => await Promise.resolve();
const powerBack = async (lab: TestLab, { name }: DbHost): Promise<void> =>
  void (await lab.verb('start', name));
/** Sooner it would lead again by its own key, which is another fault, and a lesser one. */
const backBehindAnother = async (lab: TestLab, former: DbHost): Promise<void> => {
  await eventually(
    'another member leads',
    async () =>
      (await Promise.all(lab.layout.dbHosts.map(documentOf))).some(
        ({ host, role, state }) => host.name !== former.name && role === 'primary' && state === 'running',
      ),
    { holds: (isSo) => isSo, withinMs: WHOLE_MS },
  );
  await powerBack(lab, former);
};

/** `stopMs`: how long an agent is stopped by SIGSTOP, and how long etcd has no quorum. */
export const faults = (stopMs: number): readonly Fault[] => [
  {
    name: 'host killed',
    aimMs: 6000,
    strike: async (lab, leader) => void (await killHost(labPaths(lab.folder), leader)),
    heal: backBehindAnother,
  },
  {
    name: 'postmaster killed',
    aimMs: 2500,
    strike: async (lab, leader) => {
      const file = join(labPaths(lab.folder).pgdata(leader.name), 'postmaster.pid');
      process.kill(Number((await readFile(file, 'utf8')).split('\n')[0]), 'SIGKILL');
    },
    heal: nothing,
  },
  {
    name: 'agent killed',
    aimMs: 6000,
    strike: async (lab, leader) => {
      await signal(lab, leader, 'agent', 'SIGKILL');
    },
    heal: backBehindAnother,
  },
  {
    name: 'agent stopped',
    aimMs: 6000,
    strike: async (lab, leader) => {
      const pids = await signal(lab, leader, 'agent', 'SIGSTOP');
      await pause(stopMs);
      for (const pid of pids) process.kill(pid, 'SIGCONT');
    },
    heal: nothing,
  },
  {
    name: 'etcd leader killed',
    aimMs: 1000,
    strike: async (lab) => {
      const host = await etcdLeader(lab);
      await signal(lab, host, 'etcd', 'SIGKILL');
    },
    heal: async (lab) => {
      const paths = labPaths(lab.folder);
      const has = new Set(
        labProcesses(paths)
          .filter(({ part }) => part === 'etcd')
          .map(({ host }) => host),
      );
      for (const host of lab.layout.dbHosts) if (!has.has(host.name)) await powerBack(lab, host);
    },
  },
  {
    name: 'switchover',
    aimMs: 1500,
    strike: async (lab, leader) => {
      const [candidate] = lab.layout.dbHosts.filter(({ name }) => name !== leader.name);
      const { host, port } = leader.rest;
      const answer = await fetch(`http://${host}:${port}/switchover`, {
        method: 'POST',
        body: JSON.stringify({ leader: leader.name, candidate: candidate?.name }),
      });
      if (!answer.ok) throw new Error(`switchover: ${answer.status} ${await answer.text()}`);
    },
    heal: nothing,
  },
  {
    name: 'etcd without a quorum',
    aimMs: 1000,
    strike: async (lab, leader) => {
      await configure(leader, { failsafe_mode: true });
      await eventually('all members are listed', () => failsafeMembers(leader), {
        holds: (count) => count === lab.layout.dbHosts.length,
        withinMs: LISTED_MS,
      });
      const [one, other] = lab.layout.dbHosts;
      const stopped = [
        ...(await signal(lab, one, 'etcd', 'SIGSTOP')),
        ...(await signal(lab, other, 'etcd', 'SIGSTOP')),
      ];
      await pause(stopMs);
      for (const pid of stopped) process.kill(pid, 'SIGCONT');
    },
    heal: async (_lab, leader) =>
      void (await eventually(
        'etcd takes the setting back',
        () => configure(leader, { failsafe_mode: null }),
        {
          holds: (isDone) => isDone,
          withinMs: WHOLE_MS,
        },
      )),
  },
];

async function signal(
  lab: TestLab,
  host: DbHost,
  part: Part,
  name: NodeJS.Signals,
): Promise<readonly number[]> {
  const pids = labProcesses(labPaths(lab.folder))
    .filter((each) => each.host === host.name && each.part === part)
    .map(({ pid }) => pid);
  if (pids.length === 0) throw new Error(`${host.name} has no ${part}`);
  for (const pid of pids) process.kill(pid, name);
  return await Promise.resolve(pids);
}

/** Changes the cluster's configuration; false if it could not be. */
async function configure({ rest: { host, port } }: DbHost, change: object): Promise<boolean> {
  const answer = await fetch(`http://${host}:${port}/config`, {
    method: 'PATCH',
    body: JSON.stringify(change),
    signal: AbortSignal.timeout(CALL.timeoutMs),
  }).catch(() => undefined);
  return answer?.ok === true;
}

async function failsafeMembers({ rest: { host, port } }: DbHost): Promise<number> {
  const answer = await fetch(`http://${host}:${port}/failsafe`).catch(() => undefined);
  return answer?.ok === true ? Object.keys((await answer.json()) ?? {}).length : 0;
}

async function etcdLeader(lab: TestLab): Promise<DbHost> {
  const dcs = connectLab(lab.layout, lab.layout.dbHosts[0].name);
  try {
    const members = await dcs.members(CALL);
    const leader = members.find(({ isLeader }) => isLeader);
    const host = lab.layout.dbHosts.find(({ name }) => name === leader?.name);
    if (host === undefined)
      throw new Error(`etcd has no leader among ${members.map(({ name }) => name).join(', ')}`);
    return host;
  } finally {
    await dcs.close();
  }
}

/** One primary; both others stream from it on its timeline, and commits wait for them: so either may lead. */
export async function whole(lab: TestLab): Promise<DbHost> {
  const seen = await eventually(
    'one leader and two standbys that commits wait for',
    async () => {
      const answers = await Promise.all(lab.layout.dbHosts.map(documentOf));
      const [leader, ...more] = answers.filter(
        ({ role, state }) => role === 'primary' && state === 'running',
      );
      const following = answers.filter(
        ({ replication, timeline, isSync }) =>
          replication === 'streaming' && timeline === leader?.timeline && isSync === true,
      );
      return { leader: more.length === 0 ? leader?.host : undefined, following: following.length };
    },
    { holds: ({ leader, following }) => leader !== undefined && following === 2, withinMs: WHOLE_MS },
  );
  if (seen.leader === undefined) throw new Error('no leader');
  return seen.leader;
}

async function documentOf(host: DbHost): Promise<{
  readonly host: DbHost;
  readonly role?: unknown;
  readonly state?: unknown;
  readonly replication?: unknown;
  readonly timeline?: unknown;
  readonly isSync?: unknown;
}> {
  try {
    const { host: address, port } = host.rest;
    const answer = await fetch(`http://${address}:${port}/patroni`, { signal: AbortSignal.timeout(1000) });
    const said: Readonly<Record<string, unknown>> = JSON.parse(await answer.text());
    return {
      host,
      role: said['role'],
      state: said['state'],
      replication: said['replication_state'],
      timeline: said['timeline'],
      isSync: said['sync_standby'],
    };
  } catch {
    return { host };
  }
}
