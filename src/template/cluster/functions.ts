/** The functions of templates that confd has not: the cluster, its primary, shares of reads, and where we are. */
import { formatAddress } from '../../base/index.ts';
import { fromText, toText } from '../go/bytes.ts';
import { Refusal } from '../go/errors.ts';
import type { GoFunction } from '../go/function.ts';
import { ANY, Slice, STRING, Struct, sliceOf, type Type, unbox, type Value } from '../go/values.ts';
import type { Cluster, ClusterMember } from './cluster.ts';
import { slotsOf } from './slots.ts';

const MEMBER: Type = {
  kind: 'struct',
  name: 'cluster.Member',
  fields: ['Name', 'Role', 'State', 'Lag', 'Datacenter', 'Address', 'Host', 'Port', 'Weight', 'Closed'],
};
const SLOT: Type = { kind: 'struct', name: 'cluster.Slot', fields: ['Slot', ...(MEMBER.fields ?? [])] };
const SLOTS = sliceOf(SLOT);
const MEMBERS = sliceOf(MEMBER);
const CLUSTER: Type = {
  kind: 'struct',
  name: 'cluster.Cluster',
  fields: ['Scope', 'Leader', 'Primary', 'Members'],
};

/** What a member's lag is when it is not known. */
const NO_LAG = -1n;

export const CLUSTER_FUNCTIONS = ['cluster', 'primary', 'weight', 'datacenter', 'slots'] as const;

/** `known` gives the cluster, or throws a `Refusal` where there is none to be known; `inPlace` is what the file is now. */
export function clusterFunctions(
  known: () => Cluster,
  inPlace: string,
): Record<(typeof CLUSTER_FUNCTIONS)[number], GoFunction> {
  return {
    cluster: { params: [], call: () => clusterValue(known()) },
    primary: { params: [], call: () => memberValue(primaryMember(known())) },
    weight: { params: [ANY], call: ([asked]) => BigInt(memberNamed(known(), nameOf(asked)).weight) },
    slots: {
      params: [],
      call: () =>
        new Slice(
          SLOTS,
          slotsOf(known(), toText(inPlace)).map(
            (slot) => new Struct(SLOT, [BigInt(slot.slot), ...memberValue(slot).values]),
          ),
        ),
    },
    datacenter: { params: [], call: () => fromText(known().datacenter) },
  };
}

function clusterValue(cluster: Cluster): Struct {
  const primary = 'name' in cluster.primary ? cluster.primary.name : '';
  return new Struct(CLUSTER, [
    fromText(cluster.scope),
    fromText(cluster.leader ?? ''),
    fromText(primary),
    new Slice(MEMBERS, cluster.members.map(memberValue)),
  ]);
}

function memberValue(member: ClusterMember): Struct {
  const { name, role, state, lag, datacenter, host, port, weight, isClosed } = member;
  return new Struct(MEMBER, [
    fromText(name),
    fromText(role),
    fromText(state),
    lag === undefined ? NO_LAG : BigInt(lag),
    fromText(datacenter),
    fromText(formatAddress({ host, port })),
    fromText(host),
    BigInt(port),
    BigInt(weight),
    isClosed,
  ]);
}

/** A file that names the primary stays as it is while there is none. */
function primaryMember(cluster: Cluster): ClusterMember {
  if ('name' in cluster.primary) return memberNamed(cluster, cluster.primary.name);
  throw new Refusal(`there is no primary: ${cluster.primary.because}`);
}

function memberNamed({ members }: Cluster, name: string): ClusterMember {
  const member = members.find((each) => each.name === name);
  if (member === undefined) throw new Refusal(`the cluster has no member ${fromText(name)}`);
  return member;
}

/** A name, or a member. */
function nameOf(asked: Value): string {
  const value = unbox(asked);
  const name = value instanceof Struct && value.type.name === MEMBER.name ? value.values[0] : value;
  if (typeof name === 'string') return toText(name);
  throw new Refusal(`want a member or its name, of type ${STRING.name}`);
}
