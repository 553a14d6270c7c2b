/** The SQLSTATEs that Matriarch sends or decides by; the whole list is PostgreSQL's appendix A. */
export const SQLSTATE = {
  successfulCompletion: '00000',
  connectionFailure: '08006',
  /** The answer to a commit was lost: it may have happened or not. */
  transactionResolutionUnknown: '08007',
  protocolViolation: '08P01',
  featureNotSupported: '0A000',
  /** A standby, or a read-only transaction, was asked to write. */
  readOnlySqlTransaction: '25006',
  inFailedSqlTransaction: '25P02',
  idleInTransactionTimeout: '25P03',
  transactionTimeout: '25P04',
  invalidSqlStatementName: '26000',
  invalidAuthorizationSpecification: '28000',
  invalidPassword: '28P01',
  tooManyConnections: '53300',
  queryCanceled: '57014',
  adminShutdown: '57P01',
  cannotConnectNow: '57P03',
  idleSessionTimeout: '57P05',
} as const;
