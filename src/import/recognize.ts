/** Whose configuration a text is, by what only one of the two has. */

export type Origin = 'pgbouncer' | 'pgpool';

export function recognize(text: string): Origin | undefined {
  if (/^\s*\[(pgbouncer|databases|users|peers)\]/im.test(text)) return 'pgbouncer';
  const ofPgpool =
    /^\s*#?\s*(backend_(hostname|clustering_mode|port)|num_init_children|load_balance_mode|pcp_port|sr_check_period)\d*\s*=/im;
  return ofPgpool.test(text) ? 'pgpool' : undefined;
}
