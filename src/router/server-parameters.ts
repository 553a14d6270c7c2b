/**
 * What a server reports of its settings (ParameterStatus), as a value with a key: two connections with equal keys report
 * the same, so that a client that moves between them need not be told anything. Pure.
 */

export interface ServerParameters {
  readonly values: ReadonlyMap<string, string>;
  /** Of all but those that the router itself answers for. */
  readonly key: string;
}

/** Reported as `off` always: the session as a whole can write, whichever server answers. */
export const HOT_STANDBY = 'in_hot_standby';
/** Follows the client to every connection. */
const APPLICATION_NAME = 'application_name';

export function serverParameters(values: ReadonlyMap<string, string>): ServerParameters {
  const told = [...values]
    .filter(([name]) => name !== HOT_STANDBY && name !== APPLICATION_NAME)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return { values, key: told.map((pair) => pair.join('=')).join('\0') };
}
