/** The door of `lab`: the three-datacenter cluster on one machine, its faults and its demo. */
export { connectionHelp, runDemo } from './demo.ts';
export type { DemoOptions, DemoResult } from './demo-types.ts';
export { ACCOUNTS, type HaKind, LAB_SCOPE, type LabPaths, labPaths } from './files.ts';
export {
  type AppHost,
  allHosts,
  type DbHost,
  type Host,
  type LabLayout,
  labLayout,
} from './hosts.ts';
export { clearAbandoned, killHost, labDown } from './lab-down.ts';
export { hasLab, hostNamed, openLab, type RouterKind } from './lab-state.ts';
export { type LabOptions, labUp, startHost, type UpOptions } from './lab-up.ts';
export { inspectMachine, type Machine } from './machine.ts';
export {
  type LabProcess,
  labProcesses,
  type Part,
  proportionalMemoryBytes,
} from './processes.ts';
export { PATRONI_PROGRAM } from './patroni.ts';
export { PGPOOL_PROGRAM } from './pgpool.ts';
export { askRouter, connectLab, poll, type PoolNode, poolNodes, readView } from './readiness.ts';
