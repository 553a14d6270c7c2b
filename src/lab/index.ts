/** The door of `lab`: the three-datacenter cluster on one machine, its faults and its demo. */
export { connectionHelp, runDemo } from './demo.ts';
export type { DemoOptions, DemoResult } from './demo-types.ts';
export { ACCOUNTS, LAB_SCOPE, type LabPaths, labPaths } from './files.ts';
export {
  type AppHost,
  allHosts,
  BASE_OCTET_MAX,
  type DbHost,
  type Host,
  hostTitle,
  type LabLayout,
  labLayout,
} from './hosts.ts';
export {
  clearAbandoned,
  hostNamed,
  killHost,
  labDown,
  type LabOptions,
  labUp,
  openLab,
  startHost,
  type UpOptions,
} from './lab.ts';
export { inspectMachine, type Machine } from './machine.ts';
export {
  endProcesses,
  type LabProcess,
  labProcesses,
  type Part,
  proportionalMemoryBytes,
} from './processes.ts';
export { connectLab, poll, readView, runningPrimary, streamingStandbys, type Wait } from './readiness.ts';
export { connectApplication, type WriteLedger, Writers } from './workload.ts';
