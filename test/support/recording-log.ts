/** A log that a test can look into: the names of the events and their fields, in order. */
import type { Log, LogFields } from '../../src/base/index.ts';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly event: string;
  readonly fields: LogFields;
}

/** The log, and the lines written to it and its children. */
export function recordingLog(): { readonly log: Log; readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = [];
  const make = (always: LogFields): Log => {
    const at =
      (level: LogLine['level']) =>
      (event: string, fields: LogFields = {}): void => {
        lines.push({ level, event, fields: { ...always, ...fields } });
      };
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (fields) => make({ ...always, ...fields }),
    };
  };
  return { log: make({}), lines };
}
