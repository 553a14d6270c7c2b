/**
 * Numbers for members that stay theirs: for readers of a file, such as pgpool-II, that know servers by number and cannot
 * give a number in use to another. What they are is remembered in the file itself, in lines `# slot 0 NAME HOST PORT …`
 * that its template writes; who is away keeps number and address.
 */
import { slotLines } from '../../pgpool/index.ts';
import type { Cluster, ClusterMember } from './cluster.ts';

export interface Slot extends ClusterMember {
  readonly slot: number;
}

/** By number. Members that the text does not know get the numbers after its last. */
export function slotsOf({ members }: Cluster, inPlace: string): Slot[] {
  const before = slotLines(inPlace);
  const kept = before.map(({ slot, name, host, port }): Slot => {
    const member = members.find((each) => each.name === name);
    return { ...(member ?? { ...AWAY, name, host, port }), slot };
  });
  const first = Math.max(-1, ...before.map(({ slot }) => slot)) + 1;
  const added = members
    .filter(({ name }) => !before.some((line) => line.name === name))
    .map((member, index): Slot => ({ ...member, slot: first + index }));
  return [...kept, ...added].sort((a, b) => a.slot - b.slot);
}

const AWAY = { role: '', state: 'gone', lag: undefined, datacenter: '', weight: 0, isClosed: false };
