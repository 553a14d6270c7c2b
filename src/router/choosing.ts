/**
 * Which member a unit of work that does not need the primary goes to. Elsewhere than to the one whose turn it is, if that
 * has no room and another has, unless it is wished for or the session has a connection to it already. Pure.
 */
import type { Lender } from './lender.ts';
import type { Link } from './link.ts';
import type { Unit } from './unit.ts';
import type { World } from './world.ts';

export interface ChoosingOptions {
  readonly world: World;
  readonly lender: Lender;
}

export class Choosing {
  readonly #options: ChoosingOptions;

  constructor(options: ChoosingOptions) {
    this.#options = options;
  }

  /** `links` are the connections that the session has. */
  choose(unit: Unit, links: readonly Link[]): string | undefined {
    const { world } = this.#options;
    if (unit.kind !== 'start' && unit.need !== 'anywhere') return this.#reader(unit, links);
    const [atHand] = unit.kind === 'start' ? [] : links;
    unit.placeBecause = atHand === undefined ? 'nearest' : 'connection-at-hand';
    return atHand?.member ?? world.nearest(unit.excluded);
  }

  /** The session has state there. */
  stay(unit: Unit, { member }: Link): string {
    unit.placeBecause = 'state-is-there';
    return member;
  }

  /** Sends a read that waits at `from` to a member that has room; false: it is to wait on. */
  mayMove(unit: Unit, from: string): boolean {
    if (unit.kind === 'start' || unit.need !== 'read' || unit.wish !== undefined) return false;
    const other = this.#roomBeside(from, unit);
    if (other === undefined) return false;
    unit.member = other;
    return true;
  }

  #reader(unit: Unit, links: readonly Link[]): string | undefined {
    const { lender, world } = this.#options;
    const chosen = world.reader(unit.excluded, unit.wish);
    unit.placeBecause = world.readerBecause;
    const isFixed = chosen === undefined || unit.wish !== undefined || has(links, chosen);
    if (isFixed || !lender.isCongested(chosen)) return chosen;
    return this.#roomBeside(chosen, unit) ?? chosen;
  }

  #roomBeside(member: string, unit: Unit): string | undefined {
    const { lender, world } = this.#options;
    const other = world.relief(member);
    if (other === undefined || unit.excluded.has(other) || lender.isCongested(other)) return undefined;
    unit.placeBecause = 'spilled';
    world.relieved(member);
    return other;
  }
}

function has(links: readonly Link[], member: string): boolean {
  for (const link of links) if (link.member === member) return true;
  return false;
}
