/**
 * Everything the console refuses, in one place. Messages are PgBouncer's where it has one; the SQLSTATE is what
 * PostgreSQL would say. PgBouncer says 08P01 to everything, which pools of drivers take for a broken connection.
 */
import { type ErrorFields, SQLSTATE } from '../wire/index.ts';

/** An error of a command; its severity is ERROR. */
export type AdminFailure = Omit<ErrorFields, 'severity'>;

export const FAILURE = {
  invalidCommand: (text: string): AdminFailure => ({
    code: SQLSTATE.syntaxError,
    message: `invalid command '${shortened(text)}', use SHOW HELP;`,
  }),
  adminNeeded: (): AdminFailure => ({
    code: SQLSTATE.insufficientPrivilege,
    message: 'admin access needed',
    hint: 'Roles in router.admin_users have it; those in router.stats_users may only look.',
  }),
  alreadyPaused: (): AdminFailure => ({
    code: SQLSTATE.objectNotInPrerequisiteState,
    message: 'already suspended/paused',
  }),
  notPaused: (): AdminFailure => ({
    code: SQLSTATE.objectNotInPrerequisiteState,
    message: 'pooler is not paused/suspended',
  }),
  databaseNotPaused: (database: string): AdminFailure => ({
    code: SQLSTATE.objectNotInPrerequisiteState,
    message: `database ${database} is not paused`,
  }),
  pausedDatabases: (): AdminFailure => ({
    code: SQLSTATE.objectNotInPrerequisiteState,
    message: 'cannot suspend with paused databases',
  }),
  noDatabase: (database: string): AdminFailure => ({
    code: SQLSTATE.invalidCatalogName,
    message: `no such database: ${database}`,
  }),
  databaseRequired: (): AdminFailure => ({
    code: SQLSTATE.syntaxError,
    message: 'a database is required',
  }),
  consoleItself: (verb: string, database: string): AdminFailure => ({
    code: SQLSTATE.featureNotSupported,
    message: `cannot ${verb.replace('_', ' ')} admin db: ${database}`,
  }),
  noClient: (id: number): AdminFailure => ({
    code: SQLSTATE.undefinedObject,
    message: 'client not found',
    detail: `No client has the id ${id}; SHOW CLIENTS has them in its last column.`,
  }),
  unknownParameter: (name: string): AdminFailure => ({
    code: SQLSTATE.undefinedObject,
    message: `unrecognized configuration parameter "${shortened(name)}"`,
    hint: 'SHOW CONFIG has the settings of the router, SHOW HELP the tables.',
  }),
  fixedParameter: (name: string): AdminFailure => ({
    code: SQLSTATE.cantChangeRuntimeParam,
    message: `parameter "${name}" cannot be changed now`,
    hint: 'Change it in matriarch.yaml and restart the router.',
  }),
  fds: (): AdminFailure => ({
    code: SQLSTATE.featureNotSupported,
    message: 'SHOW FDS is not supported',
    hint: 'PgBouncer uses it to hand its sockets to a new process; SHOW SOCKETS has the connections.',
  }),
  functionCall: (): AdminFailure => ({
    code: SQLSTATE.featureNotSupported,
    message: 'the admin console has no functions',
  }),
  severalCommands: (): AdminFailure => ({
    code: SQLSTATE.syntaxError,
    message: 'cannot insert multiple commands into a prepared statement',
  }),
  parametersGiven: (count: number, name: string): AdminFailure => ({
    code: SQLSTATE.protocolViolation,
    message: `bind message supplies ${count} parameters, but prepared statement "${name}" requires 0`,
    hint: 'Commands of the admin console have no parameters: write the value into the text.',
  }),
  resultFormats: (formats: number, columns: number): AdminFailure => ({
    code: SQLSTATE.protocolViolation,
    message: `bind message has ${formats} result formats but query has ${columns} columns`,
  }),
  unknownFormat: (format: number): AdminFailure => ({
    code: SQLSTATE.invalidParameterValue,
    message: `unsupported format code: ${format}`,
  }),
  statementExists: (name: string): AdminFailure => ({
    code: SQLSTATE.duplicatePreparedStatement,
    message: `prepared statement "${name}" already exists`,
  }),
  noStatement: (name: string): AdminFailure => ({
    code: SQLSTATE.invalidSqlStatementName,
    message:
      name === ''
        ? 'unnamed prepared statement does not exist'
        : `prepared statement "${name}" does not exist`,
  }),
  portalExists: (name: string): AdminFailure => ({
    code: SQLSTATE.duplicateCursor,
    message: `cursor "${name}" already exists`,
  }),
  noPortal: (name: string): AdminFailure => ({
    code: SQLSTATE.invalidCursorName,
    message: `portal "${name}" does not exist`,
  }),
  tooMany: (what: string, max: number): AdminFailure => ({
    code: SQLSTATE.programLimitExceeded,
    message: `too many ${what}: the admin console keeps ${max}`,
  }),
  canceled: (): AdminFailure => ({
    code: SQLSTATE.queryCanceled,
    message: 'canceling statement due to user request',
    detail: 'Only the waiting ends: what was ordered stays in force (see SHOW STATE and SHOW DATABASES).',
  }),
} as const;

const SHOWN_MAX = 200;

/** What the client itself has sent, but not pages of it. */
function shortened(text: string): string {
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}…`;
}
