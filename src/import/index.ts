/** The door of `import`: configurations of other programs as matriarch.yaml, and all that they say otherwise. */
export {
  type Files,
  formatNote,
  type Imported,
  type ImportStep,
  type SourceFile,
  type Wishes,
} from './note.ts';
export { importPgbouncer } from './pgbouncer.ts';
export { PGBOUNCER_KEYS } from './pgbouncer-keys.ts';
export { DATABASE_KEYS, PEER_KEYS, USER_KEYS } from './pgbouncer-sections.ts';
export { importPatroni, type PatroniWishes } from './patroni.ts';
export { type Environment, PATRONI_VARIABLES } from './patroni-environment.ts';
export { PATRONI_KEYS } from './patroni-keys.ts';
export type { PatroniRow, PatroniTable } from './patroni-row.ts';
export { importPgpool } from './pgpool.ts';
export { PGPOOL_KEYS } from './pgpool-keys.ts';
export { type Origin, recognize } from './recognize.ts';
export type { Row, Table } from './row.ts';
