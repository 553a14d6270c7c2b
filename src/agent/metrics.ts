/** What a scrape of the agent reads: our own metrics, and Patroni's names beside them for dashboards that know those. */
import { processSamples, type Sample } from '../metrics/index.ts';
import { FEATURE_LEVEL, isPaused } from '../topology/index.ts';
import type { AgentContext } from './context.ts';
import { syncStandbys } from './documents.ts';
import { memberRole } from './member-key.ts';
import { localServer } from './observe.ts';
import { isFailsafeActive } from './pledges.ts';

/** What a scrape reads. */
export function samples(ctx: AgentContext): Sample[] {
  return [...ownSamples(ctx), ...patroniSamples(ctx)];
}

function ownSamples(ctx: AgentContext): Sample[] {
  const { state, keeper, clock } = ctx;
  const local = localServer(state);
  const isRunning = local.process === 'running';
  const list: Sample[] = [
    ...processSamples('agent', ctx.version),
    { name: 'matriarch_agent_leader', value: Number(keeper.isHolder) },
    {
      name: 'matriarch_agent_lease_remaining_seconds',
      value: keeper.isHolder ? Math.max(0, (keeper.deadline - clock.now()) / 1000) : 0,
    },
    { name: 'matriarch_agent_watchdog', value: Number(ctx.fence.watchdog?.is === 'held') },
    { name: 'matriarch_postgres_running', value: Number(isRunning) },
    { name: 'matriarch_postgres_primary', value: Number(isRunning && local.role === 'primary') },
  ];
  for (const [outcome, value] of Object.entries(keeper.counts))
    list.push({ name: 'matriarch_agent_keep_alives_total', labels: { outcome }, value });
  for (const { action, because, count } of state.decisions.values()) {
    list.push({ name: 'matriarch_agent_decisions_total', labels: { action, because }, value: count });
  }
  if (local.timeline !== undefined) list.push({ name: 'matriarch_postgres_timeline', value: local.timeline });
  if (local.lsn !== undefined) list.push({ name: 'matriarch_postgres_wal_position_bytes', value: local.lsn });
  if (state.status?.replayLsn !== undefined)
    list.push({ name: 'matriarch_postgres_replay_position_bytes', value: state.status.replayLsn });
  return list;
}

/** As Patroni has it: 0 where something does not apply. */
function patroniSamples(ctx: AgentContext): Sample[] {
  const { state, config } = ctx;
  const local = localServer(state);
  const status = local.process === 'running' ? state.status : undefined;
  const role = memberRole(ctx);
  const labels = { scope: config.scope, name: config.name };
  const streaming = status?.replicationState;
  const gauges: readonly (readonly [Sample['name'], number | boolean | undefined])[] = [
    ['patroni_version', versionNumber(FEATURE_LEVEL)],
    ['patroni_postgres_running', local.process === 'running'],
    ['patroni_postmaster_start_time', epochSeconds(status?.postmasterStartTime)],
    ['patroni_master', role === 'primary'],
    ['patroni_primary', role === 'primary'],
    ['patroni_standby_leader', false],
    ['patroni_replica', role === 'replica'],
    ['patroni_sync_standby', status?.inRecovery === true && syncStandbys(ctx).has(config.name)],
    ['patroni_xlog_location', status?.flushLsn],
    ['patroni_xlog_received_location', status?.receiveLsn],
    ['patroni_xlog_replayed_location', status?.replayLsn],
    ['patroni_xlog_paused', status?.replayPaused],
    ['patroni_postgres_streaming', streaming === 'streaming'],
    ['patroni_postgres_in_archive_recovery', streaming === 'in archive recovery'],
    ['patroni_postgres_server_version', status?.serverVersion],
    ['patroni_cluster_unlocked', state.view.leader === undefined],
    ['patroni_failsafe_mode_is_active', isFailsafeActive(ctx)],
    ['patroni_postgres_timeline', status === undefined ? 0 : local.timeline],
    ['patroni_dcs_last_seen', Math.floor((state.contactWallAt ?? 0) / 1000)],
    ['patroni_pending_restart', (status?.pendingRestart.length ?? 0) > 0],
    ['patroni_is_paused', isPaused(state.view)],
  ];
  return gauges.map(([name, value]) => ({ name, labels, value: Number(value ?? 0) }));
}

/** `3.3.0` is 30300, as Patroni writes it. */
function versionNumber(version: string): number {
  return Number(
    version
      .split('.')
      .map((part) => part.padStart(2, '0'))
      .join(''),
  );
}

/** Of a time as PostgreSQL prints it, `2026-01-01 12:00:00.5+00`. */
function epochSeconds(text: string | undefined): number {
  const at = Date.parse((text ?? '').replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00'));
  return Number.isNaN(at) ? 0 : at / 1000;
}
