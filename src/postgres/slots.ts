/** Physical replication slots of the running server: makes what is missing, drops what it is told to and nobody uses. */
import type { Ask } from './session.ts';
import type { SlotChanges } from './types.ts';

export async function changeSlots(
  ask: Ask,
  changes: SlotChanges,
): Promise<{ readonly created: readonly string[]; readonly dropped: readonly string[] }> {
  const rows = await ask('SELECT slot_name AS name, slot_type AS type, active FROM pg_replication_slots');
  const known = new Map(rows.map((row) => [String(row['name']), row]));
  const created = changes.ensure.filter((name) => !known.has(name));
  for (const name of created) await ask('SELECT pg_create_physical_replication_slot($1, true)', [name]);
  const dropped = (changes.drop ?? []).filter((name) => {
    const slot = known.get(name);
    return slot?.['type'] === 'physical' && slot['active'] === false && !changes.ensure.includes(name);
  });
  for (const name of dropped) await ask('SELECT pg_drop_replication_slot($1)', [name]);
  return { created, dropped };
}
