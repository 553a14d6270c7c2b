/** How this host looks at the members, from what its configuration says. */
import type { ReadPolicy } from './candidates.ts';

/** The parts of a configuration that say it. */
export interface PolicySettings {
  readonly datacenter: string;
  readonly addresses: ReadPolicy['addresses'];
  readonly router: {
    readonly weights: ReadPolicy['weights'] & { readonly members?: Readonly<Record<string, number>> };
  };
  readonly nodes?: readonly { readonly name: string; readonly weight?: number | undefined }[] | undefined;
}

export function readPolicyOf({ datacenter, addresses, router, nodes = [] }: PolicySettings): ReadPolicy {
  const own = nodes.flatMap(({ name, weight }) => (weight === undefined ? [] : [[name, weight] as const]));
  return {
    localDatacenter: datacenter,
    weights: { local: router.weights.local, remote: router.weights.remote },
    addresses,
    memberWeights: { ...Object.fromEntries(own), ...router.weights.members },
  };
}
