/**
 * Everything the router itself says to a client: severity, SQLSTATE, message, detail, hint, in one place. Never
 * internals, never SQL. Pure. A new reply? Its SQLSTATE is counted in matriarch_router_errors_total by itself.
 */
import type { Attempt } from '../auth/index.ts';
import type { Misleading } from '../sql/index.ts';
import { type ErrorFields, SQLSTATE } from '../wire/index.ts';
import { HOLD_REASONS, type HoldReason, type LossReason } from './route.ts';

const ERROR = 'ERROR';
const FATAL = 'FATAL';

const LOSS_REASONS: Readonly<Record<LossReason, string>> = {
  'connection-lost': 'The connection to the server was lost.',
  'server-shut-down': 'The server ended the connection.',
  'idle-in-transaction': 'It was idle for longer than idle_in_transaction_session_timeout.',
  'leader-changed': 'The cluster has a new primary.',
  'member-gone': 'The server has left the cluster.',
  'held-too-long': 'The primary did not come back in time.',
  'primary-unknown': 'The router does not know any more who the primary is.',
  'settings-refused': 'The server refused a setting of the session that it had taken before.',
  'given-up': 'The router gave it up because of an earlier error.',
};

const MISLEADS: Readonly<Record<Misleading['because'], string>> = {
  locks: 'An advisory lock that is taken at a standby excludes nobody at the primary.',
  signals: 'Process ids are those of the primary; at the standby it would be for another process.',
  resets: 'It would reset the statistics of the standby, and not those of the primary.',
};

const seconds = (ms: number): string => `${Math.round(ms / 100) / 10} s`;

export const REPLY = {
  heldTooLong: (because: HoldReason, waitedMs: number): ErrorFields => ({
    severity: ERROR,
    code: SQLSTATE.cannotConnectNow,
    message: `no server took the statement within ${seconds(waitedMs)}: ${HOLD_REASONS[because]}`,
    detail: 'The statement was not sent to any server.',
    hint: 'Try again; see SHOW NODES in the database `matriarch`. How long the router waits is router.hold_timeout.',
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
  hintUnread: (word: string): ErrorFields => ({
    severity: 'NOTICE',
    code: SQLSTATE.successfulCompletion,
    message: `the router does not understand "${word}" of a hint, and goes on without it`,
    hint: 'It knows primary, replica, local, any, node=NAME, consistency=LEVEL and max_staleness=TIME.',
  }),
  nodeUnknown: (name: string): ErrorFields => ({
    severity: 'NOTICE',
    code: SQLSTATE.successfulCompletion,
    message: `the router knows no node "${name}", and chooses another`,
    hint: 'SHOW NODES in the database `matriarch` lists them.',
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
        : 'See SHOW NODES in the database `matriarch`, and whether the database hosts run.',
  }),
  transactionLost: (because: LossReason): ErrorFields => ({
    severity: ERROR,
    code: because === 'idle-in-transaction' ? SQLSTATE.idleInTransactionTimeout : SQLSTATE.adminShutdown,
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
  listenerLost: (because: LossReason): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.connectionFailure,
    message: 'terminating connection because its LISTENs were lost with their server',
    detail: `${LOSS_REASONS[because]} Notifications would not have come any more.`,
    hint: 'Connect again, and LISTEN again.',
  }),
  boundToStandby: (): ErrorFields => ({
    severity: ERROR,
    code: SQLSTATE.readOnlySqlTransaction,
    message: 'this session is bound to a standby, which cannot run the statement',
    detail: 'It made state in a READ ONLY transaction that only this standby has.',
    hint: 'DISCARD ALL frees it, or connect again; make such state outside of READ ONLY transactions.',
  }),
  misleadsAtStandby: ({ name, because }: Misleading): ErrorFields => ({
    severity: ERROR,
    code: SQLSTATE.readOnlySqlTransaction,
    message: `cannot run ${name}() at the standby that serves the READ ONLY transaction`,
    detail: MISLEADS[because],
    hint: 'Call it in the first statement of the transaction, which then runs at the primary, or BEGIN READ WRITE.',
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
  messageTooSlow: (): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.idleSessionTimeout,
    message: 'terminating connection due to message timeout',
    detail: 'A message was begun whose rest did not come, or too slowly, while a server waited for it.',
    hint: "The router's limit is router.client_message_timeout.",
  }),
  loginTimeout: (): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.cannotConnectNow,
    message: 'canceling authentication due to timeout',
  }),
  killed: (): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.adminShutdown,
    message: 'terminating connection due to administrator command',
  }),
  disabled: (database: string): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.objectNotInPrerequisiteState,
    message: `database "${database}" does not allow connections`,
    hint: 'It was disabled in the admin console: ENABLE allows them again.',
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
  unexpectedInCopy: (tag: number): ErrorFields => ({
    severity: ERROR,
    code: SQLSTATE.protocolViolation,
    message: `unexpected message type 0x${tag.toString(16).toUpperCase().padStart(2, '0')} during COPY from stdin`,
  }),
  outOfStep: (): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.protocolViolation,
    message: 'terminating connection because protocol synchronization was lost',
  }),
  /** The words are PgBouncer's. */
  notAdmin: (): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.insufficientPrivilege,
    message: 'not allowed',
    hint: 'Only roles in router.admin_users and router.stats_users may use the admin console.',
  }),
  unsupported: (message: string): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.featureNotSupported,
    message,
  }),
  notReplication: (value: string): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.invalidParameterValue,
    message: `invalid value for parameter "replication": "${value}"`,
    hint: 'Valid values are: "false", 0, "true", 1, "database".',
  }),
  noUser: (): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.invalidAuthorizationSpecification,
    message: 'no PostgreSQL user name specified in startup packet',
  }),
  /** PostgreSQL's own words, as tools look for them. */
  noHbaEntry: (attempt: Attempt): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.invalidAuthorizationSpecification,
    message: `no pg_hba.conf entry for ${placeOf(attempt)}`,
    detail: 'The router has host rules of its own (router.hba, router.auth_hba_file).',
  }),
  hbaRejects: (attempt: Attempt): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.invalidAuthorizationSpecification,
    message: `pg_hba.conf rejects ${attempt.isReplication ? '' : 'connection for '}${placeOf(attempt)}`,
    detail: 'The router has host rules of its own (router.hba, router.auth_hba_file).',
  }),
  noCertificate: (): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.invalidAuthorizationSpecification,
    message: 'connection requires a valid client certificate',
  }),
  wrongCertificate: (user: string): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.invalidAuthorizationSpecification,
    message: `certificate authentication failed for user "${user}"`,
  }),
  tlsRequired: (): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.invalidAuthorizationSpecification,
    message: 'the router accepts encrypted connections only',
    hint: 'Connect with sslmode=require or stronger.',
  }),
  sentAheadOf: (what: 'SSL' | 'GSSAPI encryption'): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.protocolViolation,
    message: `received unencrypted data after ${what} request`,
    detail:
      'This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.',
  }),
  bindingDowngraded: (): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.invalidAuthorizationSpecification,
    message: 'SCRAM channel binding negotiation error',
    detail:
      'The client supports SCRAM channel binding but thinks the server does not.  However, this server does support channel binding.',
  }),
  bindingFailed: (): ErrorFields => ({
    severity: FATAL,
    code: SQLSTATE.invalidAuthorizationSpecification,
    message: 'SCRAM channel binding check failed',
  }),
} as const;

function placeOf({ address, user, database, isTls, isReplication }: Attempt): string {
  const what = isReplication ? 'replication connection from ' : '';
  const where = `host "${address ?? '[local]'}", user "${user}"`;
  const of = isReplication ? '' : `, database "${database}"`;
  return `${what}${where}${of}, ${isTls ? 'SSL encryption' : 'no encryption'}`;
}
