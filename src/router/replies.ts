/**
 * Everything the router itself says to a client: severity, SQLSTATE, message, detail, hint, in one place. Never
 * internals, never SQL. Pure. A new reply? Its SQLSTATE is counted in matriarch_router_errors_total by itself.
 */
import { type ErrorFields, SQLSTATE } from '../wire/index.ts';
import { HOLD_REASONS, type HoldReason, type LossReason } from './route.ts';

const ERROR = 'ERROR';
const FATAL = 'FATAL';

const LOSS_REASONS: Readonly<Record<LossReason, string>> = {
  'connection-lost': 'The connection to the server was lost.',
  'server-shut-down': 'The server was shut down.',
  'leader-changed': 'The cluster has a new primary.',
  'member-gone': 'The server has left the cluster.',
  'held-too-long': 'The primary did not come back in time.',
  'settings-refused': 'The server refused a setting of the session that it had taken before.',
  'given-up': 'The router gave it up because of an earlier error.',
};

const seconds = (ms: number): string => `${Math.round(ms / 100) / 10} s`;

export const REPLY = {
  heldTooLong: (because: HoldReason, waitedMs: number): ErrorFields => ({
    severity: ERROR,
    code: SQLSTATE.cannotConnectNow,
    message: `no server took the statement within ${seconds(waitedMs)}: ${HOLD_REASONS[because]}`,
    detail: 'The statement was not sent to any server.',
    hint: 'Try again; see `matriarch status`. How long the router waits is router.hold_timeout.',
  }),
  holdFull: (because: HoldReason): ErrorFields => ({
    severity: ERROR,
    code: SQLSTATE.cannotConnectNow,
    message: `too many clients are waiting: ${HOLD_REASONS[because]}`,
    detail: 'The statement was not sent to any server.',
    hint: 'Try again later. How many clients may wait is router.hold_max_clients.',
  }),
  stillHeld: (because: HoldReason): ErrorFields => ({
    severity: 'NOTICE',
    code: SQLSTATE.successfulCompletion,
    message: `waiting: ${HOLD_REASONS[because]}`,
  }),
  poolFull: (waitedMs: number): ErrorFields => ({
    severity: ERROR,
    code: SQLSTATE.tooManyConnections,
    message: `no server connection became free within ${seconds(waitedMs)}`,
    detail: 'The statement was not sent to any server.',
    hint: 'See SHOW POOLS in the database `matriarch`; the limits are router.default_pool_size and router.query_wait_timeout.',
  }),
  noServer: (because: HoldReason, waitedMs: number): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.cannotConnectNow,
    message: `no server of the cluster could be reached within ${seconds(waitedMs)}: ${HOLD_REASONS[because]}`,
    hint:
      because === 'dcs-never-reached'
        ? 'Check etcd.endpoints of the router, and that etcd runs there.'
        : 'See `matriarch status` and whether the database hosts run.',
  }),
  transactionLost: (because: LossReason): ErrorFields => ({
    severity: ERROR,
    code: SQLSTATE.adminShutdown,
    message: 'the transaction was lost with its server',
    detail: `${LOSS_REASONS[because]} Nothing of the transaction was committed.`,
    hint: 'Roll back and run the transaction again; this connection can be used on.',
  }),
  failed: (because: LossReason): ErrorFields => ({
    severity: ERROR,
    code: SQLSTATE.connectionFailure,
    message: 'the server was lost before the statement was finished',
    detail: `${LOSS_REASONS[because]} The statement changed nothing.`,
    hint: 'Run it again; this connection can be used on.',
  }),
  inDoubt: (because: LossReason): ErrorFields => ({
    severity: ERROR,
    code: SQLSTATE.transactionResolutionUnknown,
    message: 'the server was lost before it answered: whether the change was committed is not known',
    detail: `${LOSS_REASONS[because]} The router does not repeat what may have been done.`,
    hint: 'Look whether the change is there before repeating it; this connection can be used on.',
  }),
  sessionLost: (because: LossReason): ErrorFields => ({
    severity: ERROR,
    code: SQLSTATE.connectionFailure,
    message: 'the state of this session was lost with its server',
    detail: `${LOSS_REASONS[because]} Temporary tables, session locks, LISTENs and the like are gone.`,
    hint: 'Set them up again; this connection can be used on.',
  }),
  boundToStandby: (): ErrorFields => ({
    severity: ERROR,
    code: SQLSTATE.readOnlySqlTransaction,
    message: 'this session is bound to a standby, which cannot run the statement',
    detail: 'It made state in a READ ONLY transaction that only this standby has.',
    hint: 'DISCARD ALL frees it, or connect again; make such state outside of READ ONLY transactions.',
  }),
  inFailedTransaction: (): ErrorFields => ({
    severity: ERROR,
    code: SQLSTATE.inFailedSqlTransaction,
    message: 'current transaction is aborted, commands ignored until end of transaction block',
  }),
  /** What a server said while a further connection was opened, for a client that stays connected. */
  refusedByServer: (fields: ErrorFields): ErrorFields => ({ ...fields, severity: ERROR }),
  canceled: (): ErrorFields => ({
    severity: ERROR,
    code: SQLSTATE.queryCanceled,
    message: 'canceling statement due to user request',
    detail: 'It was waiting for a server and had not been sent.',
  }),
  wrongPassword: (user: string): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.invalidPassword,
    message: `password authentication failed for user "${user}"`,
  }),
  tooManyClients: (max: number): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.tooManyConnections,
    message: 'sorry, too many clients already',
    detail: `The router serves ${max} clients at most (router.max_client_conn).`,
  }),
  tooManyFor: (what: 'database' | 'role', name: string, max: number): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.tooManyConnections,
    message: `too many connections for ${what} "${name}"`,
    detail: `The router serves ${max} of its clients at most.`,
  }),
  loginTimeout: (): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.cannotConnectNow,
    message: 'canceling authentication due to timeout',
  }),
  shutdown: (): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.adminShutdown,
    message: 'terminating connection because the router is stopping',
  }),
  protocolViolation: (message: string): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.protocolViolation,
    message,
  }),
  unsupported: (message: string): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.featureNotSupported,
    message,
  }),
  noUser: (): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.invalidAuthorizationSpecification,
    message: 'no PostgreSQL user name specified in startup packet',
  }),
} as const;
