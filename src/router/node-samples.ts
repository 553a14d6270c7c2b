/** The nodes as metrics, from the same facts as the admin console's tables. Pure. */
import type { NodeFacts } from '../admin/index.ts';
import type { Sample } from '../metrics/index.ts';

export function nodeSamples(nodes: readonly NodeFacts[]): Sample[] {
  return nodes.flatMap(
    ({ name, datacenter, state, stateBecause, share, spilled, lagBytes, lagMs }): Sample[] => {
      const labels = { member: name, datacenter };
      return [
        {
          name: 'matriarch_router_node_share',
          labels: { ...labels, state, because: stateBecause },
          value: share,
        },
        { name: 'matriarch_router_reads_spilled_total', labels, value: spilled },
        ...(lagBytes === undefined
          ? []
          : [{ name: 'matriarch_router_node_lag_bytes' as const, labels, value: lagBytes }]),
        ...(lagMs === undefined
          ? []
          : [{ name: 'matriarch_router_node_lag_seconds' as const, labels, value: lagMs / 1000 }]),
      ];
    },
  );
}
