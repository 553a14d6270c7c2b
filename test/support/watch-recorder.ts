/** Records what a watch reports, and checks on the way what every watch promises: order, no repetition. */
import assert from 'node:assert/strict';
import type { Dcs, KeyValue, WatchEvent } from '../../src/dcs/index.ts';
import { eventually } from './eventually.ts';

export interface WatchRecord {
  /** Key -> value as folded from everything reported. */
  readonly state: ReadonlyMap<string, string>;
  /** `put key=value` and `delete key`, in order of arrival, without the snapshot. */
  readonly events: readonly string[];
  /** The same, as they were told: one list for each call. */
  readonly batches: readonly (readonly string[])[];
  readonly snapshots: number;
  readonly contacts: readonly { readonly sentAt: number; readonly revision: number }[];
  readonly disconnects: readonly string[];
  readonly revision: number;
  /** Waits for the first contact, which comes behind the snapshot: what is written after it is told as a change. */
  readonly started: () => Promise<unknown>;
  /** Ends the watch and waits for it. */
  readonly stop: () => Promise<void>;
}

/** Starts watching; the record fills as reports arrive. */
export function recordWatch(dcs: Dcs, prefix: string, contactEveryMs = 200): WatchRecord {
  const stop = new AbortController();
  const state = new Map<string, string>();
  const record = {
    state,
    events: [] as string[],
    batches: [] as string[][],
    snapshots: 0,
    contacts: [] as { sentAt: number; revision: number }[],
    disconnects: [] as string[],
    revision: 0,
  };
  const put = (entry: KeyValue): void => {
    assert.ok(entry.key.startsWith(prefix), `${entry.key} is outside ${prefix}`);
    state.set(entry.key, entry.value);
  };
  const fold = (event: WatchEvent): string => {
    if (event.type === 'put') {
      put(event.entry);
      return `put ${event.entry.key}=${event.entry.value}`;
    }
    state.delete(event.key);
    return `delete ${event.key}`;
  };
  const ended = dcs.watch(
    prefix,
    {
      snapshot: (snapshot) => {
        record.snapshots += 1;
        record.revision = snapshot.revision;
        state.clear();
        snapshot.entries.forEach(put);
      },
      changes: (revision, events) => {
        assert.ok(revision > record.revision, `revision ${revision} after ${record.revision}`);
        record.revision = revision;
        const batch = events.map(fold);
        record.batches.push(batch);
        record.events.push(...batch);
      },
      contact: (sentAt, revision) => {
        record.contacts.push({ sentAt, revision });
      },
      disconnected: (because) => {
        record.disconnects.push(because);
      },
    },
    { contactEveryMs, signal: stop.signal },
  );
  // Awaited in `stop`; until then a failure must not count as unhandled.
  ended.catch(() => {});
  return Object.assign(record, {
    started: async () =>
      await eventually('the first contact', () => record.contacts.length, {
        holds: (count) => count > 0,
        withinMs: 5000,
      }),
    stop: async () => {
      stop.abort();
      await ended;
    },
  });
}
