/** Where a session's server connections come from. Pure. */
import type { Link } from './link.ts';

/** Where connections come from; the pools' side. */
export interface Lender {
  /** A free connection to the member at once; undefined: it is lent later, or refused. */
  readonly borrow: (member: string) => Link | undefined;
  /** Who asks there now waits, and others have waited for so long that another member is nearer. */
  readonly isCongested: (member: string) => boolean;
  /** The connection that was asked for is not wanted any more. */
  readonly stopWaiting: () => void;
  /** Nothing is owed on it and no transaction is open; it is cleaned if it `isSoiled`. */
  readonly giveBack: (link: Link) => void;
  /** It is of no use to anybody. */
  readonly discard: (link: Link) => void;
}
