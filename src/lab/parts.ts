/** Command lines of the lab's processes. Pure. */
import { formatAddress } from '../base/index.ts';
import type { LabPaths } from './files.ts';
import type { DbHost, Host, LabLayout } from './hosts.ts';

/** A real etcd member with production's timing; the cluster is static, its members are known beforehand. */
export function etcdCommand(
  program: string,
  paths: LabPaths,
  layout: LabLayout,
  host: DbHost,
): readonly string[] {
  const cluster = layout.dbHosts
    .map((each) => `${each.name}=http://${formatAddress(each.etcdPeer)}`)
    .join(',');
  return [
    program,
    `--name=${host.name}`,
    `--data-dir=${paths.etcd(host.name)}`,
    `--listen-client-urls=http://${formatAddress(host.etcdClient)}`,
    `--advertise-client-urls=http://${formatAddress(host.etcdClient)}`,
    `--listen-peer-urls=http://${formatAddress(host.etcdPeer)}`,
    `--initial-advertise-peer-urls=http://${formatAddress(host.etcdPeer)}`,
    `--initial-cluster=${cluster}`,
    `--initial-cluster-token=matriarch-lab-${layout.baseOctet}`,
    '--heartbeat-interval=100',
    '--election-timeout=1000',
    '--auto-compaction-mode=periodic',
    '--auto-compaction-retention=10m',
    '--logger=zap',
    '--log-outputs=stderr',
    '--log-level=warn',
  ];
}

/** One of our own processes, from the host's configuration file. */
export function partCommand(
  command: readonly string[],
  paths: LabPaths,
  host: Host,
  part: 'agent' | 'router',
): readonly string[] {
  return [...command, part, '--config', paths.config(host.name)];
}
