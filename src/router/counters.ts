/** What a router counts: plain numbers on the hot path, samples when somebody asks. */
import type { RouteCount } from '../admin/index.ts';
import type { MetricName, Sample } from '../metrics/index.ts';

export interface MemberCounts {
  reads: number;
  writes: number;
}

export class Counters {
  readonly #members = new Map<string, MemberCounts>();
  readonly #errors = new Map<string, number>();
  readonly #holds = new Map<string, number>();
  readonly #holdReasons = new Map<string, number>();
  readonly #losses = new Map<string, number>();
  /** By reason, then by kind: reasons are many and say most of the kind. */
  readonly #routed = new Map<string, Map<string, { count: number }>>();
  readonly #rescues = new Map<string, number>();
  readonly #judged = new Map<string, number>();
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

  routed(kind: string, because: string): void {
    let kinds = this.#routed.get(because);
    if (kinds === undefined) {
      kinds = new Map();
      this.#routed.set(because, kinds);
    }
    const cell = kinds.get(kind);
    if (cell === undefined) kinds.set(kind, { count: 1 });
    else cell.count += 1;
  }

  holdBegan(because: string): void {
    add(this.#holdReasons, because);
  }

  rescued(because: string): void {
    add(this.#rescues, because);
  }

  judged(outcome: string): void {
    add(this.#judged, outcome);
  }

  serverLost(because: string): void {
    add(this.#losses, because);
  }

  hold(outcome: 'went-on' | 'gave-up' | 'ended' | 'refused'): void {
    add(this.#holds, outcome);
  }

  login(outcome: 'authenticated' | 'refused' | 'gone'): void {
    add(this.#logins, outcome);
  }

  /** Statements by class and reason. */
  routes(): readonly RouteCount[] {
    return [...this.#routed].flatMap(([because, kinds]) =>
      Array.from(kinds, ([kind, { count }]) => ({ class: kind, because, count })),
    );
  }

  samples(datacenterOf: (member: string) => string): Sample[] {
    const samples: Sample[] = [];
    for (const [member, counts] of this.#members) {
      const datacenter = datacenterOf(member);
      const name = 'matriarch_router_statements_total';
      samples.push({ name, labels: { member, datacenter, kind: 'read' }, value: counts.reads });
      samples.push({ name, labels: { member, datacenter, kind: 'write' }, value: counts.writes });
    }
    for (const { class: kind, because, count: value } of this.routes()) {
      samples.push({ name: 'matriarch_router_routed_total', labels: { kind, because }, value });
    }
    return [
      ...samples,
      ...counted('matriarch_router_errors_total', 'sqlstate', this.#errors),
      ...counted('matriarch_router_holds_total', 'outcome', this.#holds),
      ...counted('matriarch_router_hold_reasons_total', 'because', this.#holdReasons),
      ...counted('matriarch_router_servers_lost_total', 'because', this.#losses),
      ...counted('matriarch_router_reads_rescued_total', 'because', this.#rescues),
      ...counted('matriarch_router_reads_moved_total', 'outcome', this.#judged),
      ...counted('matriarch_router_clients_total', 'outcome', this.#logins),
    ];
  }
}

function counted(name: MetricName, label: string, counts: ReadonlyMap<string, number>): Sample[] {
  return Array.from(counts, ([key, value]): Sample => ({ name, labels: { [label]: key }, value }));
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
