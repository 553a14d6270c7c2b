/** How long work took, by phase, node and role, for /metrics and for the judgement of load. An observation allocates nothing. */
import { Histogram, type Sample } from '../metrics/index.ts';
import { Median } from '../routing/index.ts';

/**
 * queue: waiting for a server connection; connect: opening one; route: deciding what a statement is and where it goes;
 * server: from the last byte of a statement sent to the end of its answer.
 */
export type Phase = 'queue' | 'connect' | 'route' | 'server';

/** What the work needed: the primary, or any node. */
export type WorkRole = 'read' | 'write';

const PHASES: readonly Phase[] = ['queue', 'connect', 'route', 'server'];
const ROLES: readonly WorkRole[] = ['read', 'write'];

type MemberLatencies = Readonly<Record<Phase, Readonly<Record<WorkRole, Histogram>>>> & {
  /** Of the waits for a connection, for whatever; and of the answers to reads. */
  readonly waits: Median;
  readonly reads: Median;
};

/** One that says where the middle is now, too. */
class Followed extends Histogram {
  readonly #median: Median;

  constructor(median: Median) {
    super();
    this.#median = median;
  }

  override observe(ms: number): void {
    super.observe(ms);
    this.#median.observe(ms);
  }
}

export class Latencies {
  readonly #members = new Map<string, MemberLatencies>();
  /** Asked for last, as most times: all clients of a time go to few nodes. */
  #lastMember = '';
  #last: MemberLatencies | undefined = undefined;

  /** Those of one node; the same at each call, which costs one look-up by a name. */
  at(member: string): MemberLatencies {
    if (this.#last !== undefined && this.#lastMember === member) return this.#last;
    let found = this.#members.get(member);
    if (found === undefined) {
      const [waits, reads] = [new Median(), new Median()];
      found = {
        queue: { read: new Followed(waits), write: new Followed(waits) },
        connect: both(),
        route: both(),
        server: { read: new Followed(reads), write: new Histogram() },
        waits,
        reads,
      };
      this.#members.set(member, found);
    }
    this.#lastMember = member;
    this.#last = found;
    return found;
  }

  samples(datacenterOf: (member: string) => string): Sample[] {
    return Array.from(this.#members).flatMap(([member, latencies]) =>
      PHASES.flatMap((phase) =>
        ROLES.map(
          (role): Sample => ({
            name: 'matriarch_router_phase_seconds',
            labels: { phase, member, datacenter: datacenterOf(member), role },
            value: latencies[phase][role].counts(),
          }),
        ).filter(({ value }) => typeof value !== 'number' && value.count > 0),
      ),
    );
  }
}

function both(): Readonly<Record<WorkRole, Histogram>> {
  return { read: new Histogram(), write: new Histogram() };
}
