/** What placement.ts is given, and what it answers: a step on the way to a server connection. */
import type { Lender } from './lender.ts';
import type { Link, LinkOwner } from './link.ts';
import type { ReadsOptions } from './reads.ts';
import type { HoldReason } from './route.ts';
import type { Settings, SettingsLimits } from './settings.ts';
import type { World } from './world.ts';

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
