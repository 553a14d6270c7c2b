/**
 * How long work took, by phase, node and role, for /metrics. `of` finds a histogram once (by a pool, at its beginning);
 * on the hot path only `observe(ms)` is called, which allocates nothing.
 */
import { Histogram, type Sample } from '../metrics/index.ts';

/**
 * queue: waiting for a server connection; connect: opening one; route: deciding what a statement is and where it goes;
 * server: from the last byte of a statement sent to the end of its answer.
 */
export type Phase = 'queue' | 'connect' | 'route' | 'server';

/** What the work needed: the primary, or any node. */
export type WorkRole = 'read' | 'write';

interface Entry {
  readonly phase: Phase;
  readonly member: string;
  readonly role: WorkRole;
  readonly histogram: Histogram;
}

export class Latencies {
  readonly #entries = new Map<string, Entry>();

  /** The histogram of one phase at one node; the same at each call. */
  of(phase: Phase, member: string, role: WorkRole): Histogram {
    const key = `${phase} ${role} ${member}`;
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { phase, member, role, histogram: new Histogram() };
      this.#entries.set(key, entry);
    }
    return entry.histogram;
  }

  samples(datacenterOf: (member: string) => string): Sample[] {
    return Array.from(
      this.#entries.values(),
      ({ phase, member, role, histogram }): Sample => ({
        name: 'matriarch_router_phase_seconds',
        labels: { phase, member, datacenter: datacenterOf(member), role },
        value: histogram.counts(),
      }),
    );
  }
}
