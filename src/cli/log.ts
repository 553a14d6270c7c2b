/**
 * The `Log` of a running process: pino to a synchronous destination, because an agent may be killed at any
 * moment and its last lines are the ones that matter. JSON lines, or readable text on a terminal.
 */
import { pino } from 'pino';
import { describe, type Log, type LogFields } from '../base/index.ts';

export interface LogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly format: 'auto' | 'json' | 'text';
  /** Whether `fd` is a terminal, for `auto`. */
  readonly isTerminal: boolean;
  /** 1 for the long-running commands, 2 for those whose standard output is a result. */
  readonly fd: 1 | 2;
}

/** A log that writes `{"level","time","event",…fields}`. */
export async function createLog({ level, format, isTerminal, fd }: LogOptions): Promise<Log> {
  const asText = format === 'text' || (format === 'auto' && isTerminal);
  const destination = asText
    ? await textDestination(fd, isTerminal)
    : pino.destination({ dest: fd, sync: true });
  const options = {
    level,
    base: null,
    messageKey: 'event',
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: ['password', '*.password'],
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return wrap(pino(options, destination), {});
}

/** Loaded only where it is used: services that log JSON need not carry it. */
async function textDestination(fd: number, colorize: boolean) {
  const { default: pretty } = await import('pino-pretty');
  return pretty({
    destination: fd,
    sync: true,
    colorize,
    messageKey: 'event',
    translateTime: 'HH:MM:ss.l',
    singleLine: true,
  });
}

type Pino = ReturnType<typeof pino>;

/** The fields of a child are kept here, not in pino's child: a line that names one again must not hold it twice. */
function wrap(logger: Pino, bound: LogFields): Log {
  const all = (fields: LogFields | undefined): LogFields => plain({ ...bound, ...fields });
  return {
    debug: (event, fields) => {
      if (logger.isLevelEnabled('debug')) logger.debug(all(fields), event);
    },
    info: (event, fields) => logger.info(all(fields), event),
    warn: (event, fields) => logger.warn(all(fields), event),
    error: (event, fields) => logger.error(all(fields), event),
    child: (fields) => wrap(logger, { ...bound, ...fields }),
  };
}

/** Errors among the fields become one line each; JSON would make them `{}`. */
function plain(fields: LogFields): LogFields {
  if (!Object.values(fields).some((value) => value instanceof Error)) return fields;
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? describe(value) : value]),
  );
}
