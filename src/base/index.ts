/** The door of `base`: what every other folder may use. Imports nothing of ours. */
export { AssertionError, assert, rethrowBug, unreachable } from './assert.ts';
export { background, describe, failure } from './background.ts';
export { type BackoffLimits, backoffMs } from './backoff.ts';
export { type Clock, systemClock } from './clock.ts';
export { pause, unlessAborted, withDeadline } from './deadline.ts';
export { type Deferred, deferred } from './deferred.ts';
export { DURATION_PATTERN, parseDuration } from './duration.ts';
export { ERROR_TABLE, type ErrorCode, type ErrorRow, EXIT, MatriarchError } from './errors.ts';
export { isRecord, parseJson, wholeNumber } from './json.ts';
export { type Address, formatAddress, type ListenPlace, listenError, listenOn } from './listen.ts';
export { type Log, type LogFields, silentLog } from './log.ts';
export {
  allPids,
  type FoundProcess,
  findProcess,
  isSameProcess,
  isServerProcess,
  type ProcessIdentity,
  postmasterOf,
  processFolder,
  processProgram,
  processText,
  serverProcesses,
} from './process-table.ts';
export { RingQueue } from './ring-queue.ts';
export { type Column, renderTable } from './table.ts';
export { systemTimers, type Timers } from './timers.ts';
