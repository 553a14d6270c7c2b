/** How verifiers are looked up where a test does not say otherwise. */
import { NO_TLS } from '../../src/router/server-tls.ts';
import type { LookupSettings } from '../../src/router/verifiers.ts';

export const LOOKUP_SETTINGS: LookupSettings = {
  connectTimeoutMs: 5000,
  query: 'SELECT verifier FROM matriarch.router_lookup($1)',
  database: 'postgres',
  login: undefined,
  users: undefined,
  tls: NO_TLS,
};
