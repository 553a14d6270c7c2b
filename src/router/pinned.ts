/** The connection to which a session is pinned, and why. Pure. */
import { isAuditable } from './audit.ts';
import type { Link } from './link.ts';
import type { PinReason } from './route.ts';
import { planAnewAfterAudit } from './temporary.ts';

/** DISCARD ALL does not end these. */
const OUTLASTING: ReadonlySet<PinReason> = new Set(['loads-library', 'ends-with-connection', 'seeds-random']);

export class Pinned {
  readonly because = new Set<PinReason>();
  /** Undefined: the session is free. */
  to: Link | undefined = undefined;
  /** No question can find out whether it is free again. */
  isForGood = false;

  pin(link: Link, because: PinReason): void {
    this.to = link;
    this.because.add(because);
    if (!isAuditable(because)) this.isForGood = true;
    if (OUTLASTING.has(because)) link.isSpoilt = true;
    link.isSoiled = true;
  }

  /** What there is at the connection: nothing but these. */
  become(link: Link, reasons: readonly PinReason[]): void {
    planAnewAfterAudit(link, this.because, reasons);
    this.because.clear();
    if (reasons.length === 0) this.free();
    for (const because of reasons) this.pin(link, because);
  }

  /** The state is gone from the connection, which is fit for others again; unless it has what does not go. */
  free(): void {
    if (this.to?.isSpoilt === true) return;
    if (this.to !== undefined) this.to.isSoiled = false;
    this.clear();
  }

  clear(): void {
    this.to = undefined;
    this.because.clear();
    this.isForGood = false;
  }
}
