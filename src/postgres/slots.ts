/**
 * Physical replication slots of the running server: makes what is missing, drops what it is told to and nobody uses. Others
 * do the same at the same time (a member that clones makes its slot here itself), so a slot that came or went since it was
 * looked for is as good as one that we made or dropped.
 */
import { type Ask, refused } from './session.ts';
import type { SlotChanges } from './types.ts';

const DUPLICATE_OBJECT = '42710';
const UNDEFINED_OBJECT = '42704';
const OBJECT_IN_USE = '55006';

export async function changeSlots(
  ask: Ask,
  changes: SlotChanges,
): Promise<{ readonly created: readonly string[]; readonly dropped: readonly string[] }> {
  const rows = await ask('SELECT slot_name AS name, slot_type AS type, active FROM pg_replication_slots');
  const known = new Map(rows.map((row) => [String(row['name']), row]));
  const created: string[] = [];
  for (const name of new Set(changes.ensure)) {
    if (!known.has(name) && (await createSlot(ask, name))) created.push(name);
  }
  const dropped: string[] = [];
  for (const name of new Set(changes.drop ?? [])) {
    const slot = known.get(name);
    if (slot?.['type'] !== 'physical' || slot['active'] !== false || changes.ensure.includes(name)) continue;
    if (await dropSlot(ask, name)) dropped.push(name);
  }
  return { created, dropped };
}

/** The same over a replication connection, as a member that is to be cloned asks for it. Its name must be a slot's. */
export async function ensureSlotByCommand(ask: Ask, name: string): Promise<void> {
  const known = await ask(`READ_REPLICATION_SLOT "${name}"`);
  if (known[0]?.['slot_type'] === 'physical') return;
  await unlessRefused(ask(`CREATE_REPLICATION_SLOT "${name}" PHYSICAL (RESERVE_WAL true)`), [
    DUPLICATE_OBJECT,
  ]);
}

/** False when somebody else was faster. */
async function createSlot(ask: Ask, name: string): Promise<boolean> {
  const work = ask('SELECT pg_create_physical_replication_slot($1, true)', [name]);
  return unlessRefused(work, [DUPLICATE_OBJECT]);
}

/** False when it is gone already, or in use again. */
async function dropSlot(ask: Ask, name: string): Promise<boolean> {
  const work = ask('SELECT pg_drop_replication_slot($1)', [name]);
  return unlessRefused(work, [UNDEFINED_OBJECT, OBJECT_IN_USE]);
}

async function unlessRefused(work: Promise<unknown>, sqlstates: readonly string[]): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (cause) {
    if (refused(cause, sqlstates)) return false;
    throw cause;
  }
}
