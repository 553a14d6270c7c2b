/** Times of the wall as PgBouncer and pgpool-II write them; always in UTC, whatever the host's zone. */

/** `2026-11-25 08:23:06 UTC` */
export function timestamp(ms: number): string {
  return `${timestampWithoutZone(ms)} UTC`;
}

/** `2026-11-25 08:23:06` */
export function timestampWithoutZone(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
}
