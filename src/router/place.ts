/** What placement.ts is given, and what it answers: a step on the way to a server connection. */
import type { Lender } from './lender.ts';
import type { Link } from './link.ts';
import type { LinkOwner } from './link-types.ts';
import { PROBE_SQL } from './probe.ts';
import type { ReadsOptions } from './reads.ts';
import type { HoldReason } from './route.ts';
import type { Settings, SettingsLimits } from './settings.ts';
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

export const WAIT: Place = { kind: 'wait' };
export const BOUND_TO_STANDBY: Place = { kind: 'bound-to-standby' };
export const SETTINGS_LIMITS: SettingsLimits = { entriesMax: 64, bytesMax: 16 * 1024 };

/** A probe under way: whom and which term it is for; or else the unit that is for a standby. */
export interface Probing {
  readonly link: Link;
  readonly term: Term | undefined;
  readonly unit?: Unit;
}

/** The unit is for the primary only since it uses state of the session, and that may be at a standby. */
export function mayUseState(unit: Unit, pinned: Link): boolean {
  return unit.need === 'primary' && unit.needBeside !== 'primary' && pinned.proof === undefined;
}

/** The unit runs there if that still is a standby, which is asked once: without a proof nothing may be written. */
export function askForState(unit: Unit, link: Link): Probing | undefined {
  if (unit.isStateAsked || !link.isQuiet) return undefined;
  unit.isStateAsked = true;
  link.ask(PROBE_SQL);
  return { link, term: undefined, unit };
}

export interface PlacementOptions extends ReadsOptions {
  readonly world: World;
  readonly owner: LinkOwner;
  readonly lender: Lender;
  /** What the client asked for at its start. */
  readonly settings: Settings;
  /** Connections are kept until the session ends. */
  readonly isSessionMode: boolean;
  /** After code that nobody looked into the server is asked what it has left. */
  readonly auditsCode: boolean;
}
