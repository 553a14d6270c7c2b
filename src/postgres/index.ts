/** The door of `postgres`: control over one data directory, and the pure comparisons that go with it. */

export { isAgentsSetting, ROUTER_ROLE } from './conf.ts';
export { openPostgres } from './control.ts';
export type { ClusterState, ControlData } from './control-data.ts';
export { installLookup } from './install-lookup.ts';
export { type LocalPosition, needsRewind, positionOf, type RewindNeed } from './needs-rewind.ts';
export { lookupInstallSql } from './router-lookup.ts';
export type { TimelineSwitch } from './timeline-history.ts';
export type {
  BootstrapUser,
  CloneOptions,
  CloneProgress,
  ConfigWritten,
  Credential,
  DataDirState,
  DesiredConfig,
  Inspection,
  Operation,
  PostgresControl,
  PostgresOptions,
  PostgresSettings,
  PostmasterExit,
  PostmasterState,
  PromoteOptions,
  PromoteResult,
  RewindResult,
  Role,
  ServerStatus,
  SlotChanges,
  SlotStatus,
  StandbyStatus,
  StartResult,
  StopResult,
  Synchrony,
  Upstream,
  UpstreamTimeline,
} from './types.ts';
