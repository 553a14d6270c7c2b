/** What `matriarch lab status` shows: processes and memory of each host, then the cluster as `matriarch status` does. */
import { describe, renderTable } from '../base/index.ts';
import {
  allHosts,
  connectLab,
  LAB_SCOPE,
  type LabLayout,
  type LabPaths,
  labProcesses,
  type Part,
  proportionalMemoryBytes,
  readView,
} from '../lab/index.ts';
import { renderStatus, type Status, statusOf } from './status-view.ts';

export interface LabHostStatus {
  readonly host: string;
  readonly datacenter: string;
  readonly address: string;
  /** Process ids by part; PostgreSQL's is the postmaster. Empty when the host is off. */
  readonly processes: Readonly<Partial<Record<Part, number>>>;
  readonly memory_bytes: number;
}

export interface LabStatus {
  readonly folder: string;
  readonly hosts: readonly LabHostStatus[];
  readonly memory_bytes: number;
  readonly cluster: Status | null;
  /** Why the cluster could not be read. */
  readonly cluster_error: string | null;
}

/** Looks at the processes and at etcd. */
export async function labStatus({
  layout,
  paths,
}: {
  readonly layout: LabLayout;
  readonly paths: LabPaths;
}): Promise<LabStatus> {
  const processes = labProcesses(paths);
  const memory = new Map(processes.map(({ pid }) => [pid, proportionalMemoryBytes(pid)]));
  const hosts = allHosts(layout).map((host) => {
    const own = processes.filter((each) => each.host === host.name);
    const servers = new Set(own.filter((each) => each.part === 'postgres').map((each) => each.pid));
    const byPart: Partial<Record<Part, number>> = {};
    for (const each of own) {
      // Of PostgreSQL's processes the postmaster stands for all.
      if (!servers.has(each.parent)) byPart[each.part] ??= each.pid;
    }
    return {
      host: host.name,
      datacenter: host.datacenter.name,
      address: host.kind === 'app' ? host.router.host : host.postgres.host,
      processes: byPart,
      memory_bytes: own.reduce((sum, { pid }) => sum + (memory.get(pid) ?? 0), 0),
    };
  });
  const total = hosts.reduce((sum, host) => sum + host.memory_bytes, 0);
  return { folder: paths.root, hosts, memory_bytes: total, ...(await clusterOf(layout)) };
}

/** Two tables, and the total of the memory. */
export function renderLabStatus(status: LabStatus): string {
  const rows = status.hosts.map((host) => [
    host.host,
    host.datacenter,
    host.address,
    Object.entries(host.processes)
      .map(([part, pid]) => `${part} ${pid}`)
      .join(', ') || 'off',
    `${Math.round(host.memory_bytes / 1024 / 1024)} MB`,
  ]);
  const columns = [
    { title: 'Host' },
    { title: 'Datacenter' },
    { title: 'Address' },
    { title: 'Processes' },
    { title: 'Memory', align: 'right' as const },
  ];
  const total = `Memory in all: ${Math.round(status.memory_bytes / 1024 / 1024)} MB\n`;
  const cluster =
    status.cluster === null
      ? `The cluster cannot be read: ${status.cluster_error}\n`
      : renderStatus(status.cluster);
  return `${renderTable(columns, rows, `Lab: ${status.folder}`)}${total}\n${cluster}`;
}

async function clusterOf(layout: LabLayout): Promise<Pick<LabStatus, 'cluster' | 'cluster_error'>> {
  const dcs = connectLab(layout, layout.dbHosts[0].datacenter.name);
  try {
    return { cluster: statusOf(LAB_SCOPE, await readView(dcs)), cluster_error: null };
  } catch (cause) {
    return { cluster: null, cluster_error: describe(cause) };
  } finally {
    await dcs.close();
  }
}
