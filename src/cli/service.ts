/** What `agent` and `router` share: log, store, signal, and the lines at the begin and the end. */
import type { Clock, Log } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import type { Dcs } from '../dcs/index.ts';
import type { Shell } from './shell.ts';
import { packageVersion } from './version.ts';

export interface ServiceParts {
  readonly config: Config;
  /** Undefined where `nodes` stand in for etcd. */
  readonly dcs: Dcs | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** In [0, 1): jitter of retries and races, never secrets. */
  readonly random: () => number;
  readonly version: string;
}

export interface Service {
  readonly parts: ServiceParts;
  /** Runs `work` to its end, then closes the store. */
  readonly run: (work: () => Promise<void>) => Promise<void>;
}

interface ServiceOptions {
  readonly config: Config;
  readonly role: 'agent' | 'router';
  readonly isDebug: boolean;
}

/** In [0, 1): jitter of retries and races, never secrets. */
export const jitter = (): number => Math.random();

/** Opens nothing yet but the log; the store connects at its first call. */
export async function startService(
  shell: Shell,
  { config, role, isDebug }: ServiceOptions,
): Promise<Service> {
  const [{ createLog }, { connectEtcd }] = await Promise.all([import('./log.ts'), import('../dcs/index.ts')]);
  const level = isDebug ? 'debug' : config.log.level;
  const top = await createLog({ level, format: config.log.format, isTerminal: shell.isTerminal, fd: 1 });
  const log = top.child({
    service: role,
    instance: config.name,
  });
  const dcs = config.etcd === undefined ? undefined : connectEtcd(config.etcd, { clock: shell.clock, log });
  const version = packageVersion();
  shell.signal.addEventListener('abort', () => log.info('stop-requested'), { once: true });
  return {
    parts: { config, dcs, clock: shell.clock, log, signal: shell.signal, random: jitter, version },
    run: async (work) => {
      log.info('starting', { version, scope: config.scope, datacenter: config.datacenter });
      try {
        await work();
        log.info('stopped');
      } finally {
        await dcs?.close();
      }
    },
  };
}
