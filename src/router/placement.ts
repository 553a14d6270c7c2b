/**
 * Finds the server connection for a unit of work, step by step: which member, is a connection to it open, is it
 * proven primary for this term (invariant 2), has it the session's settings. Each call looks at everything anew,
 * so a change of leader between two steps is seen. Holds the session's links, one a member. Pure.
 */
import { assert } from '../base/index.ts';
import { Query } from '../wire/index.ts';
import { Link, type LinkOwner } from './link.ts';
import { PROBE_SQL, readProbe } from './probe.ts';
import type { HoldReason, Need } from './route.ts';
import { SettingsLog } from './settings.ts';
import type { Unit } from './unit.ts';
import type { Term, World } from './world.ts';

/**
 * `wait`: a step is under way and will call back. `lost`: the server of the transaction, or of the session's state, is
 * the leader no more. `bound-to-standby`: the unit needs the primary, but what the session relies on is on a standby.
 */
export type Place =
  | { readonly kind: 'link'; readonly link: Link }
  | { readonly kind: 'wait' }
  | { readonly kind: 'hold'; readonly because: HoldReason }
  | { readonly kind: 'lost'; readonly link: Link }
  | { readonly kind: 'bound-to-standby' };

const WAIT: Place = { kind: 'wait' };
const BOUND_TO_STANDBY: Place = { kind: 'bound-to-standby' };
const PROBE = Query(PROBE_SQL);
const SETTINGS_LIMITS = { entriesMax: 64, bytesMax: 16 * 1024 };

export class Placement {
  readonly settings = new SettingsLog(SETTINGS_LIMITS);
  readonly links = new Map<string, Link>();
  /** The connection that has state of the session which no other has: the session stays with it. */
  pinnedTo: Link | undefined = undefined;
  /** The link of the open transaction, and what it was begun for. */
  transaction: Link | undefined = undefined;
  transactionNeed: Need = 'anywhere';

  readonly #world: World;
  readonly #owner: LinkOwner;
  readonly #open: (link: Link) => void;
  /** A probe under way: whom and which term it is for. */
  #probing: { readonly link: Link; readonly term: Term } | undefined = undefined;
  /** A replay of settings under way, and the version it leads to. */
  #replaying: { readonly link: Link; readonly version: number } | undefined = undefined;

  constructor(world: World, owner: LinkOwner, open: (link: Link) => void) {
    this.#world = world;
    this.#owner = owner;
    this.#open = open;
  }

  find(unit: Unit, now: number): Place {
    if (this.transaction !== undefined) return this.#inTransaction(this.transaction, now);
    const pinned = this.pinnedTo;
    if (this.needsPrimary(unit)) {
      const primary = this.#world.primary(now);
      if (primary.kind === 'none') return { kind: 'hold', because: primary.because };
      if (pinned !== undefined && pinned.member !== primary.member) {
        return pinned.proof === undefined ? BOUND_TO_STANDBY : { kind: 'lost', link: pinned };
      }
      unit.member = primary.member;
      return this.#step(primary.member, primary.term);
    }
    unit.member ??= pinned?.member ?? this.#choose(unit);
    if (unit.member !== undefined) return this.#step(unit.member, undefined);
    return { kind: 'hold', because: unit.kind === 'start' ? 'no-server-reachable' : 'no-server-for-reads' };
  }

  /** Only the primary will do: for what it does, or because the session's state is there. */
  needsPrimary(unit: Unit): boolean {
    return unit.need === 'primary' || this.pinnedTo?.proof !== undefined;
  }

  /** Takes the link out of use; the caller has said or says what becomes of its work. */
  drop(link: Link): void {
    if (this.links.get(link.member) === link) this.links.delete(link.member);
    if (this.transaction === link) this.transaction = undefined;
    if (this.pinnedTo === link) this.pinnedTo = undefined;
    if (this.#probing?.link === link) this.#probing = undefined;
    if (this.#replaying?.link === link) this.#replaying = undefined;
    link.abandon();
  }

  /** Our own replies on `link` are complete; says what came of it if it was not good. */
  prepared(link: Link): HoldReason | 'settings-refused' | undefined {
    const refused = link.ownError !== undefined;
    if (this.#replaying?.link === link) {
      if (!refused) link.settingsVersion = this.#replaying.version;
      this.#replaying = undefined;
      return refused ? 'settings-refused' : undefined;
    }
    if (this.#probing?.link !== link) return undefined;
    const { term } = this.#probing;
    this.#probing = undefined;
    const outcome = readProbe(link.probedRow, term);
    if (outcome !== 'proven') return outcome;
    link.proof = term;
    return undefined;
  }

  #inTransaction(link: Link, now: number): Place {
    if (this.transactionNeed === 'primary') {
      const primary = this.#world.primary(now);
      if (primary.kind === 'none') return { kind: 'hold', because: primary.because };
      if (primary.member !== link.member) return { kind: 'lost', link };
      // A failed transaction commits nothing, and refuses the question.
      if (link.proof !== primary.term && link.status === 'T') return this.#prove(link, primary.term);
    }
    return link.isQuiet ? { kind: 'link', link } : WAIT;
  }

  #choose(unit: Unit): string | undefined {
    if (unit.kind === 'start') return this.#world.nearest(unit.excluded);
    if (unit.need === 'anywhere') {
      for (const link of this.links.values()) if (link.isOpen) return link.member;
      return this.#world.nearest(unit.excluded);
    }
    return this.#world.reader(unit.excluded);
  }

  #step(member: string, term: Term | undefined): Place {
    const link = this.links.get(member);
    if (link === undefined) {
      const opening = new Link(member, this.#owner);
      this.links.set(member, opening);
      this.#open(opening);
      return WAIT;
    }
    if (!link.isOpen || !link.isQuiet) return WAIT;
    if (term !== undefined && link.proof !== term) return this.#prove(link, term);
    if (link.settingsVersion < this.settings.version) return this.#replay(link);
    return { kind: 'link', link };
  }

  #prove(link: Link, term: Term): Place {
    if (!link.isQuiet) return WAIT;
    this.#probing = { link, term };
    this.#sendOwn(link, PROBE);
    return WAIT;
  }

  /** The statement waits for the answers: under other settings it could mean something else. */
  #replay(link: Link): Place {
    const texts = this.settings.since(link.settingsVersion);
    assert(texts.length > 0, 'a newer version of the settings has at least one statement');
    this.#replaying = { link, version: this.settings.version };
    for (const text of texts) this.#sendOwn(link, Query(text));
    return WAIT;
  }

  #sendOwn(link: Link, query: Buffer): void {
    link.probedRow = undefined;
    link.ownError = undefined;
    link.sendOwn(query);
  }
}
