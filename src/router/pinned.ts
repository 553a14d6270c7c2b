/**
 * The connection to which a session is pinned, and why.
 *
 * One on which a session has made a temporary object is closed when the session no longer has it, though nothing is left: the
 * schema for such objects stays as long as the connection. With PostgreSQL the first temporary object of a session makes that
 * schema, and so all plans of the session anew, those of functions and of PREPARE too: they mean the temporary table from then on
 * where it has the name of another. Where the schema was there already, the next session's first temporary table would change
 * no plan, and a function that it had called before would go on to write into the table that everybody sees. Pure.
 */
import { type Audit, isAuditable } from './audit.ts';
import type { Link } from './link.ts';
import type { PinReason } from './route.ts';

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

  /** The server has said what there is at the connection: nothing but these, of which none outlasts. */
  become(link: Link, { pins, hasTemporarySchema }: Pick<Audit, 'pins' | 'hasTemporarySchema'>): void {
    this.clear();
    link.isSoiled = false;
    link.isSpoilt = hasTemporarySchema;
    for (const because of pins) this.pin(link, because);
  }

  /** The session has discarded all; unless there is what does not go. What code has left unseen is looked for when it is cleaned. */
  free(): void {
    for (const because of this.because) if (OUTLASTING.has(because)) return;
    this.clear();
  }

  clear(): void {
    this.to = undefined;
    this.because.clear();
    this.isForGood = false;
  }
}
