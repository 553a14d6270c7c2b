/**
 * The parameters of a console's session: what PostgreSQL has and drivers ask for, set, and expect to be told of. They
 * change nothing here; they are remembered so that a driver reads what it has set. The rest is fixed.
 */

/** What a driver may find; the first digits are those of the PostgreSQL whose protocol this is. */
const SERVER_VERSION = '15.0/matriarch';

interface Parameter {
  /** As PostgreSQL spells it. */
  readonly name: string;
  readonly value: string;
  /** Told at the start, and when it changes. */
  readonly isReported: boolean;
  readonly isFixed: boolean;
}

const fixed = (name: string, value: string, isReported = true): Parameter => ({
  name,
  value,
  isReported,
  isFixed: true,
});
const free = (name: string, value: string, isReported = false): Parameter => ({
  name,
  value,
  isReported,
  isFixed: false,
});

const PARAMETERS: readonly Parameter[] = [
  free('application_name', '', true),
  // Whatever is asked for: all we write is UTF-8.
  fixed('client_encoding', 'UTF8'),
  free('DateStyle', 'ISO, MDY', true),
  free('default_transaction_read_only', 'off', true),
  fixed('in_hot_standby', 'off'),
  fixed('integer_datetimes', 'on'),
  free('IntervalStyle', 'postgres', true),
  fixed('is_superuser', 'off'),
  fixed('server_encoding', 'UTF8'),
  fixed('server_version', SERVER_VERSION),
  fixed('session_authorization', ''),
  fixed('standard_conforming_strings', 'on'),
  free('TimeZone', 'UTC', true),
  fixed('server_version_num', '150000', false),
  fixed('max_identifier_length', '63', false),
  fixed('transaction_isolation', 'read committed', false),
  fixed('transaction_read_only', 'off', false),
  free('bytea_output', 'hex'),
  free('client_min_messages', 'notice'),
  free('default_transaction_isolation', 'read committed'),
  free('extra_float_digits', '1'),
  free('idle_in_transaction_session_timeout', '0'),
  free('idle_session_timeout', '0'),
  free('jit', 'on'),
  free('lock_timeout', '0'),
  free('row_security', 'on'),
  free('search_path', '"$user", public'),
  free('statement_timeout', '0'),
  free('synchronize_seqscans', 'on'),
];

export class SessionParameters {
  readonly #values = new Map(PARAMETERS.map((parameter) => [parameter.name.toLowerCase(), parameter]));

  constructor(session: {
    readonly user: string;
    readonly isAdmin: boolean;
    readonly applicationName: string;
  }) {
    this.#put('session_authorization', session.user);
    this.#put('is_superuser', session.isAdmin ? 'on' : 'off');
    this.#put('application_name', session.applicationName);
  }

  /** What the client is told at the start. */
  get reported(): readonly { readonly name: string; readonly value: string }[] {
    return [...this.#values.values()].filter(({ isReported }) => isReported);
  }

  /** Its value; undefined: there is no such parameter. */
  get(name: string): string | undefined {
    return this.#values.get(name.toLowerCase())?.value;
  }

  /** Sets one (`undefined`: to its default), where it can be; `tell`: the client is to be told of it. */
  set(name: string, value: string | undefined): SetOutcome {
    const parameter = this.#values.get(name.toLowerCase());
    if (parameter === undefined) return { kind: 'unknown' };
    if (parameter.isFixed) return { kind: 'ignored' };
    const initial = PARAMETERS.find((each) => each.name === parameter.name)?.value ?? '';
    const changed = this.#put(name, value ?? initial);
    return changed?.isReported === true ? { kind: 'set', tell: changed } : { kind: 'set' };
  }

  #put(name: string, value: string): Parameter | undefined {
    const parameter = this.#values.get(name.toLowerCase());
    if (parameter === undefined) return undefined;
    const changed = { ...parameter, value };
    this.#values.set(name.toLowerCase(), changed);
    return changed;
  }
}

export type SetOutcome =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'ignored' }
  | { readonly kind: 'set'; readonly tell?: { readonly name: string; readonly value: string } };
