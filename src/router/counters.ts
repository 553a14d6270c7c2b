/** What a router counts: plain numbers on the hot path, samples when somebody asks. */
import type { Sample } from '../metrics/index.ts';

export interface MemberCounts {
  reads: number;
  writes: number;
}

export class Counters {
  readonly #members = new Map<string, MemberCounts>();
  readonly #errors = new Map<string, number>();
  readonly #holds = new Map<string, number>();
  readonly #logins = new Map<string, number>();

  statement(member: string, kind: 'read' | 'write'): void {
    let counts = this.#members.get(member);
    if (counts === undefined) {
      counts = { reads: 0, writes: 0 };
      this.#members.set(member, counts);
    }
    if (kind === 'read') counts.reads += 1;
    else counts.writes += 1;
  }

  of(member: string): Readonly<MemberCounts> {
    return this.#members.get(member) ?? { reads: 0, writes: 0 };
  }

  error(sqlstate: string): void {
    add(this.#errors, sqlstate);
  }

  hold(outcome: 'went-on' | 'gave-up' | 'ended' | 'refused'): void {
    add(this.#holds, outcome);
  }

  login(outcome: 'authenticated' | 'refused' | 'gone'): void {
    add(this.#logins, outcome);
  }

  samples(datacenterOf: (member: string) => string): Sample[] {
    const samples: Sample[] = [];
    for (const [member, counts] of this.#members) {
      const datacenter = datacenterOf(member);
      const name = 'matriarch_router_statements_total';
      samples.push({ name, labels: { member, datacenter, kind: 'read' }, value: counts.reads });
      samples.push({ name, labels: { member, datacenter, kind: 'write' }, value: counts.writes });
    }
    for (const [sqlstate, value] of this.#errors) {
      samples.push({ name: 'matriarch_router_errors_total', labels: { sqlstate }, value });
    }
    for (const [outcome, value] of this.#holds) {
      samples.push({ name: 'matriarch_router_holds_total', labels: { outcome }, value });
    }
    for (const [outcome, value] of this.#logins) {
      samples.push({ name: 'matriarch_router_clients_total', labels: { outcome }, value });
    }
    return samples;
  }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
