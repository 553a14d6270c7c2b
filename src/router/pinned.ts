/** The connection to which a session is pinned, and why. Pure. */
import { isAuditable } from './audit.ts';
import type { Link } from './link.ts';
import type { PinReason } from './route.ts';

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
    link.isSoiled = true;
  }

  /** What there is at the connection: nothing but these. */
  become(link: Link, reasons: readonly PinReason[]): void {
    this.because.clear();
    if (reasons.length === 0) this.free();
    for (const because of reasons) this.pin(link, because);
  }

  /** The state is gone from the connection, which is fit for others again. */
  free(): void {
    if (this.to !== undefined) this.to.isSoiled = false;
    this.clear();
  }

  clear(): void {
    this.to = undefined;
    this.because.clear();
    this.isForGood = false;
  }
}
