/** Permanent replication slots, as the cluster-wide configuration has them in Patroni's words. Pure. */
import { isRecord } from '../base/index.ts';

export interface LogicalSlot {
  readonly name: string;
  readonly database: string;
  readonly plugin: string;
}

export interface PermanentSlots {
  readonly physical: readonly string[];
  readonly logical: readonly LogicalSlot[];
  readonly unreadable: readonly string[];
}

/** Where Patroni looks for them, the older names too. */
const PERMANENT_KEYS = ['slots', 'permanent_slots', 'permanent_replication_slots'];

/** The permanent slots of the cluster-wide configuration; the one of our own name is for the others. */
export function permanentSlots(config: Readonly<Record<string, unknown>>, ownSlot: string): PermanentSlots {
  const value = PERMANENT_KEYS.map((key) => config[key]).find(isRecord) ?? {};
  const physical: string[] = [];
  const logical: LogicalSlot[] = [];
  const unreadable: string[] = [];
  for (const [name, of] of Object.entries(value)) {
    const { type, database, plugin } = isRecord(of) ? of : { type: 'physical' };
    const isNamed = /^[a-z0-9_]{1,63}$/.test(name);
    if (isNamed && (type ?? 'physical') === 'physical' && database === undefined) {
      if (name !== ownSlot) physical.push(name);
    } else if (isNamed && typeof database === 'string' && typeof plugin === 'string') {
      logical.push({ name, database, plugin });
    } else unreadable.push(name);
  }
  return { physical, logical, unreadable };
}
