/**
 * Logging as events with fields. The name is kebab-case and stable (operators alert on it); the fields carry
 * units in their names; English sentences are made where a person reads them. No SQL text and no secrets.
 */

/** Values that a log line may carry. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What every component logs to; it is handed down, never imported as a singleton. */
export interface Log {
  readonly debug: (event: string, fields?: LogFields) => void;
  readonly info: (event: string, fields?: LogFields) => void;
  readonly warn: (event: string, fields?: LogFields) => void;
  readonly error: (event: string, fields?: LogFields) => void;
  /** A log whose lines all carry `fields`. */
  readonly child: (fields: LogFields) => Log;
}

/** Discards everything. */
export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLog,
};
