/** The door of `dcs`: the store interface, the real etcd behind it, and an in-memory one for tests. */
export type {
  Call,
  Compare,
  Dcs,
  DcsMember,
  KeepAliveResult,
  KeyValue,
  Snapshot,
  Transaction,
  TransactionResult,
  WatchEvent,
  WatchHandler,
  WatchOptions,
  Write,
} from './dcs.ts';
export { unchanged } from './dcs.ts';
export { DcsError, type DcsErrorReason, type DcsOutcome } from './dcs-error.ts';
export { connectEtcd, type EtcdDeps, type EtcdOptions } from './etcd.ts';
export { createMemoryDcs, type MemoryClient, type MemoryDcs, type MemoryFault } from './memory.ts';
