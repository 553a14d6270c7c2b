/**
 * The real store: etcd's v3 API over its JSON gateway. This file is the `Dcs` interface in terms of etcd's
 * calls; `etcd-transport.ts` finds an endpoint that answers, `etcd-codec.ts` knows the JSON, `etcd-watch.ts`
 * keeps a watch alive.
 */
import { type Clock, type Log } from '../base/index.ts';
import type { Dcs } from './dcs.ts';
import { DcsError } from './dcs-error.ts';

/** `etcd:` of the configuration. */
export interface EtcdOptions {
  /** Client URLs; the one on this host first. */
  readonly endpoints: readonly string[];
  /** Longest wait for one of the client's own requests (watch, contact), over all endpoints. Milliseconds. */
  readonly request_timeout: number;
}

export interface EtcdDeps {
  readonly clock: Clock;
  readonly log: Log;
}

/** Opens no connection yet: the first call does. `close` ends what is open. */
export function connectEtcd(_etcd: EtcdOptions, _deps: EtcdDeps): Dcs {
  throw new DcsError('not-sent', 'closed', 'not built yet');
}
