/** Conversations that random ones were cut down to: each has been answered otherwise by a router once. */
import { asks, type Step } from './steps.ts';

export const FOUND: Readonly<Record<string, readonly Step[]>> = {
  'what only a primary does, first in a READ ONLY transaction': [
    ...asks('BEGIN READ ONLY'),
    ...asks('LISTEN ch'),
    ...asks('SELECT count(*) FROM t'),
    ...asks('COMMIT'),
    ...asks("BEGIN READ ONLY; NOTIFY ch, 'x'; COMMIT"),
    ...asks('UNLISTEN *'),
    ...asks('BEGIN READ ONLY'),
    ...asks('LOCK t IN EXCLUSIVE MODE'),
    ...asks('COMMIT'),
  ],
  'LISTEN in a READ ONLY transaction that has read': [
    ...asks('BEGIN READ ONLY'),
    ...asks('SELECT count(*) FROM t'),
    ...asks('LISTEN ch'),
  ],
  'LOCK in a READ ONLY transaction that has read': [
    ...asks('BEGIN READ ONLY'),
    ...asks('SELECT count(*) FROM t'),
    ...asks('LOCK t IN EXCLUSIVE MODE'),
  ],
};
