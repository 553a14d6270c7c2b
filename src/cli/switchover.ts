/**
 * `matriarch switchover`: asks the leader to hand over, by the `failover` key as patronictl does without REST,
 * and follows the view until the new leader is a running primary. A request that is not carried out in time is
 * withdrawn, so that it cannot surprise anyone later.
 */
import { Command } from 'commander';
import { EXIT, MatriarchError } from '../base/index.ts';
import type { Cluster } from './cluster.ts';
import { type ConfigFileOptions, etcdOf, withConfigOption } from './config-file.ts';
import { parsePeriod } from './options.ts';
import type { Shell } from './shell.ts';
import type { SwitchoverProgress } from './switchover-plan.ts';

interface SwitchoverOptions extends ConfigFileOptions {
  readonly debug?: boolean;
  readonly leader?: string;
  readonly candidate?: string;
  readonly wait?: number;
  readonly json?: boolean;
}

/** Longer than any switchover that goes well. */
const WAIT_MS = 30_000;

export function switchoverCommand(shell: Shell): Command {
  const command = new Command('switchover')
    .description('hand the leadership over to another member, in order: no acknowledged write is lost')
    .option('--leader <name>', 'only if this member is the leader now')
    .option('--candidate <name>', 'the member to take over; else the agents choose the fittest')
    .option(
      '--wait <duration>',
      'longest time to wait for the new primary (default: 30s); 0 returns once it is requested',
      parsePeriod,
    )
    .option('--json', 'print the result as JSON; progress goes to standard error')
    .addHelpText('after', HELP)
    .action((options: SwitchoverOptions) => run(shell, options));
  return withConfigOption(command);
}

const HELP = `
Examples:
  matriarch switchover                                   let the agents choose
  matriarch switchover --candidate db-sib-03             to a certain member
  matriarch switchover --leader db-sib-01 --wait 60s     only away from db-sib-01

Exit status: 0 done, 1 refused or failed, 3 etcd does not answer.`;

/** What followed from the request; `new_leader` is null when it was not waited for. */
interface SwitchoverResult {
  readonly outcome: 'requested' | 'done';
  readonly old_leader: string;
  readonly new_leader: string | null;
  readonly timeline: number | null;
  readonly took_ms: number;
}

async function run(shell: Shell, options: SwitchoverOptions): Promise<void> {
  const { withCluster } = await import('./cluster.ts');
  await withCluster(shell, options, async (cluster) => {
    const startedAt = shell.clock.now();
    const tell = (news: string): void => {
      const seconds = ((shell.clock.now() - startedAt) / 1000).toFixed(3);
      (options.json === true ? shell.err : shell.out)(`${seconds.padStart(7)} s  ${news}\n`);
    };
    const requested = await request(cluster, options);
    tell(`requested: from ${requested.oldLeader} to ${requested.candidate ?? 'the fittest member'}`);
    const done =
      options.wait === 0
        ? undefined
        : await follow(shell, cluster, { requested, waitMs: options.wait ?? WAIT_MS, tell });
    const result: SwitchoverResult = {
      outcome: done === undefined ? 'requested' : 'done',
      old_leader: requested.oldLeader,
      new_leader: done?.leader ?? null,
      timeline: done?.timeline ?? null,
      took_ms: Math.round(shell.clock.now() - startedAt),
    };
    if (options.json === true) shell.out(`${JSON.stringify(result)}\n`);
    shell.setExit(EXIT.ok);
  });
}

/** Writes the request, provided that the leader and the request key are still as they were checked. */
async function request(cluster: Cluster, options: SwitchoverOptions): Promise<SwitchoverProgress> {
  const { readView } = await import('./cluster.ts');
  const { planSwitchover } = await import('./switchover-plan.ts');
  const { dcs, layout, config } = cluster;
  const view = await readView(cluster);
  const plan = planSwitchover(view, options);
  if (plan.outcome === 'refused')
    throw new MatriarchError('switchover-impossible', `no switchover: ${plan.because}`);
  const present = view.entries.get(layout.failover);
  const value = JSON.stringify({
    leader: plan.leader,
    ...(plan.candidate !== undefined && { member: plan.candidate }),
  });
  const written = await dcs.transact(
    {
      when: [
        { key: layout.leader, is: 'value', value: plan.leader },
        present === undefined
          ? { key: layout.failover, is: 'absent' }
          : { key: layout.failover, is: 'mod-revision', modRevision: present.modRevision },
      ],
      then: [{ op: 'put', key: layout.failover, value }],
    },
    { timeoutMs: etcdOf(config).request_timeout },
  );
  if (written.outcome === 'refused') {
    throw new MatriarchError('switchover-impossible', 'no switchover: the cluster changed just now');
  }
  return {
    oldLeader: plan.leader,
    candidate: plan.candidate,
    oldTerm: view.leaderCreateRevision,
    requestedAtRevision: written.revision,
    stage: 'requested',
  };
}

interface Following {
  readonly requested: SwitchoverProgress;
  readonly waitMs: number;
  readonly tell: (news: string) => void;
}

async function follow(
  shell: Shell,
  cluster: Cluster,
  { requested, waitMs, tell }: Following,
): Promise<{ readonly leader: string; readonly timeline: number }> {
  const { followSwitchover } = await import('./switchover-plan.ts');
  const { watchCluster } = await import('../topology/index.ts');
  const enough = new AbortController();
  const deadline = AbortSignal.timeout(waitMs);
  const signal = AbortSignal.any([shell.signal, deadline, enough.signal]);
  let progress = requested;
  let ended:
    | { readonly leader: string; readonly timeline: number }
    | { readonly because: string }
    | undefined;
  await watchCluster({
    ...cluster,
    clock: shell.clock,
    signal,
    contactEveryMs: 1000,
    onContact: () => undefined,
    onView: (view) => {
      if (ended !== undefined) return;
      const step = followSwitchover(progress, view);
      if (step.outcome === 'going-on') progress = step.progress;
      else ended = step;
      if (step.outcome !== 'failed') step.news.forEach(tell);
      if (ended !== undefined) enough.abort();
    },
  });
  if (ended !== undefined && 'leader' in ended) return ended;
  const because =
    ended?.because ?? (shell.signal.aborted ? 'interrupted' : `no new primary within ${waitMs} ms`);
  const withdrawn = (await withdraw(cluster, requested)) ? '; the request was withdrawn' : '';
  throw new MatriarchError('switchover-failed', `the switchover failed: ${because}${withdrawn}`);
}

/** Takes the request back if nobody has touched it. */
async function withdraw({ dcs, layout, config }: Cluster, requested: SwitchoverProgress): Promise<boolean> {
  const { outcome } = await dcs.transact(
    {
      when: [{ key: layout.failover, is: 'mod-revision', modRevision: requested.requestedAtRevision }],
      then: [{ op: 'put', key: layout.failover, value: '{}' }],
    },
    { timeoutMs: etcdOf(config).request_timeout },
  );
  return outcome === 'applied';
}
