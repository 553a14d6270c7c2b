/**
 * Faults of runs with `failsafe_mode`: in each a leader goes on by pledges alone, away from the store while it reaches some members
 * or all, and something happens to one of those that pledged.
 */
import { configure, cutAll, downMembers, type Fault, isFenceWell, leaderOf, nothing } from './fault-means.ts';

export const FAILSAFE_FAULTS: Readonly<Record<string, Fault>> = {
  'store is hidden from a leader': (world, host) => {
    const { site } = leaderOf(world) ?? host;
    world.store.hiddenFrom.add(site);
    return () => void world.store.hiddenFrom.delete(site);
  },
  'store is hidden from a leader, which then loses a member': (world, host) => {
    const { events, chance, store, network, hosts } = world;
    const { site } = leaderOf(world) ?? host;
    const other = chance.oneOf(hosts.filter((one) => one.site !== site))?.site;
    store.hiddenFrom.add(site);
    let mend = nothing;
    const cut = events.after(chance.between(0, 8000), undefined, () => {
      if (other !== undefined) mend = cutAll(network, [site], [other]);
    });
    return () => {
      cut.run = undefined;
      mend();
      store.hiddenFrom.delete(site);
    };
  },
  'store is hidden from a leader, and an agent is killed': (world, host) => {
    const { events, chance, store, hosts } = world;
    const { site } = leaderOf(world) ?? host;
    store.hiddenFrom.add(site);
    const kill = events.after(chance.between(0, 8000), undefined, () => {
      const other = chance.oneOf(hosts.filter((one) => one.site !== site));
      if (other !== undefined && isFenceWell(other)) other.killAgent();
    });
    return () => {
      kill.run = undefined;
      store.hiddenFrom.delete(site);
    };
  },
  'store has no quorum for long': ({ store, chance }) => downMembers(store, chance, 2),
  'failsafe is switched': ({ store, layout, chance }) => {
    if (store.leader === undefined || !configure(store, layout, { failsafe_mode: chance.isTrue(0.5) }))
      return undefined;
    return () => void configure(store, layout, { failsafe_mode: true });
  },
};
