/** The door of `admin`: the console as values. Facts come in, bytes and orders go out. Pure. */
export { type AdminAccess, adminAccess, isAdminDatabase } from './access.ts';
export {
  type AdminCommand,
  type Parsed,
  parseCommands,
  SHOWN,
  type Shown,
  type ShutdownMode,
} from './command.ts';
export type {
  AdminFacts,
  ClientFacts,
  ConfigFacts,
  DatabaseFacts,
  Decided,
  DecisionFacts,
  MemoryFacts,
  CatalogFacts,
  NodeFacts,
  PinFacts,
  PoolFacts,
  PoolMode,
  RouteCount,
  RouteFacts,
  RouteQuestion,
  ServerFacts,
  StatsCounters,
  UserFacts,
} from './facts.ts';
export { type AdminFailure } from './failures.ts';
export { type AdminActions, type AdminOrder, type OrderOutcome } from './orders.ts';
export { AdminSession, type AdminSessionOptions } from './session.ts';
export { TABLES } from './show.ts';
export { NO_STATS, newWindow, STATS_PERIOD_MS, type StatsWindow, turnWindow } from './stats-window.ts';
export type { Cell, Column, Table } from './table.ts';
