/** Whose configuration a text is, by what only one of them has. */

export type Origin = 'pgbouncer' | 'pgpool' | 'patroni';

export function recognize(text: string): Origin | undefined {
  if (/^\s*\[(pgbouncer|databases|users|peers)\]/im.test(text)) return 'pgbouncer';
  const ofPgpool =
    /^\s*#?\s*(backend_(hostname|clustering_mode|port)|num_init_children|load_balance_mode|pcp_port|sr_check_period)\d*\s*=/im;
  if (ofPgpool.test(text)) return 'pgpool';
  // Sections of a YAML file: one that only Patroni has, or two of those that others have too.
  const sections = new Set(
    [...text.matchAll(/^(bootstrap|postgresql|restapi|etcd3?|scope)\s*:/gm)].map(([, name]) => name),
  );
  return sections.size >= 2 ? 'patroni' : undefined;
}
