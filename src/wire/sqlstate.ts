/** The SQLSTATEs that Matriarch sends or decides by; the whole list is PostgreSQL's appendix A. */
export const SQLSTATE = {
  successfulCompletion: '00000',
  warning: '01000',
  connectionException: '08000',
  sqlclientUnableToEstablishSqlconnection: '08001',
  connectionDoesNotExist: '08003',
  connectionFailure: '08006',
  /** The answer to a commit was lost: it may have happened or not. */
  transactionResolutionUnknown: '08007',
  protocolViolation: '08P01',
  featureNotSupported: '0A000',
  activeSqlTransaction: '25001',
  /** A standby, or a read-only transaction, was asked to write. */
  readOnlySqlTransaction: '25006',
  inFailedSqlTransaction: '25P02',
  invalidSqlStatementName: '26000',
  invalidAuthorizationSpecification: '28000',
  invalidPassword: '28P01',
  invalidCursorName: '34000',
  invalidCatalogName: '3D000',
  serializationFailure: '40001',
  syntaxError: '42601',
  insufficientPrivilege: '42501',
  undefinedFunction: '42883',
  undefinedTable: '42P01',
  duplicatePreparedStatement: '42P05',
  tooManyConnections: '53300',
  programLimitExceeded: '54000',
  objectNotInPrerequisiteState: '55000',
  lockNotAvailable: '55P03',
  queryCanceled: '57014',
  adminShutdown: '57P01',
  crashShutdown: '57P02',
  cannotConnectNow: '57P03',
  databaseDropped: '57P04',
  idleSessionTimeout: '57P05',
  systemError: '58000',
  internalError: 'XX000',
} as const;

/** One of the SQLSTATEs above. */
export type Sqlstate = (typeof SQLSTATE)[keyof typeof SQLSTATE];
