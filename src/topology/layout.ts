/**
 * Where things are in the store. Patroni's keys are under `/<namespace>/<scope>/`, with runs of `/` collapsed,
 * as Patroni itself builds them; our own are under `/matriarch/<scope>/`, never among Patroni's.
 */

/** The keys of one cluster. All absolute; prefixes end in `/`. */
export interface KeyLayout {
  readonly prefix: string;
  readonly leader: string;
  readonly membersPrefix: string;
  readonly member: (name: string) => string;
  readonly initialize: string;
  readonly config: string;
  readonly status: string;
  /** The write position of the leader in the form of Patroni before 2.1. */
  readonly legacyOptime: string;
  readonly history: string;
  readonly failover: string;
  readonly sync: string;
  readonly failsafe: string;
  readonly matriarchPrefix: string;
  /** The highest timeline number that a member was about to begin; written before each promotion. */
  readonly timeline: string;
  /** `{"username":…,"password":…}` of the role with which routers read verifiers; written by the leader's agent. */
  readonly routerCredential: string;
}

/** `namespace` as written by people (`service`, `/service/`, `//a//b`); `scope` is the cluster's name. */
export function keyLayout(namespace: string, scope: string): KeyLayout {
  const prefix = `/${namespace}/${scope}/`.replace(/\/{2,}/g, '/');
  const matriarchPrefix = `/matriarch/${scope}/`;
  return {
    prefix,
    leader: `${prefix}leader`,
    membersPrefix: `${prefix}members/`,
    member: (name) => `${prefix}members/${name}`,
    initialize: `${prefix}initialize`,
    config: `${prefix}config`,
    status: `${prefix}status`,
    legacyOptime: `${prefix}optime/leader`,
    history: `${prefix}history`,
    failover: `${prefix}failover`,
    sync: `${prefix}sync`,
    failsafe: `${prefix}failsafe`,
    matriarchPrefix,
    timeline: `${matriarchPrefix}timeline`,
    routerCredential: `${matriarchPrefix}router-credential`,
  };
}

/** The member whose key this is; undefined for any other key. A name has no `/` (Patroni ignores such keys). */
export function memberNameOf(layout: KeyLayout, key: string): string | undefined {
  if (!key.startsWith(layout.membersPrefix)) return undefined;
  const name = key.slice(layout.membersPrefix.length);
  return name === '' || name.includes('/') ? undefined : name;
}
