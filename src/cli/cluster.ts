/** A command's connection to the cluster it operates on: the store, and one reading of its keys. */
import { type Log, silentLog } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import { connectEtcd, type Dcs } from '../dcs/index.ts';
import { applySnapshot, type ClusterView, emptyView, type KeyLayout, keyLayout } from '../topology/index.ts';
import { type ConfigFileOptions, etcdOf, readConfig } from './config-file.ts';
import type { Shell } from './shell.ts';

export interface Cluster {
  readonly config: Config;
  readonly dcs: Dcs;
  readonly layout: KeyLayout;
  readonly log: Log;
}

/** Runs `work` with a connection that is closed afterwards, whatever happens. */
export async function withCluster<T>(
  shell: Shell,
  options: ConfigFileOptions & { readonly debug?: boolean },
  work: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const config = await readConfig(shell, options, 'cluster');
  const log = options.debug === true ? await debugLog() : silentLog;
  const dcs = connectEtcd(etcdOf(config), { clock: shell.clock, log });
  try {
    return await work({ config, dcs, layout: keyLayout(config.namespace, config.scope), log });
  } finally {
    await dcs.close();
  }
}

/** The cluster as it is now. */
export async function readView({ config, dcs, layout }: Cluster): Promise<ClusterView> {
  const snapshot = await dcs.range(layout.prefix, { timeoutMs: etcdOf(config).request_timeout });
  return applySnapshot(emptyView, snapshot, layout);
}

async function debugLog(): Promise<Log> {
  const { createLog } = await import('./log.ts');
  return await createLog({ level: 'debug', format: 'text', isTerminal: false, fd: 2 });
}
