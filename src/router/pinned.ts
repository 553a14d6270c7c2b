/**
 * The connection to which a session is pinned, and why.
 *
 * The first temporary object of a session with PostgreSQL makes its schema of temporary objects, and with it all plans anew:
 * those of functions and of PREPARE, too, which mean the temporary table from then on where that has a table's name. At a
 * connection where an earlier session has made the schema, nothing would come of that, and a function would go on to write
 * into the table that everybody sees. So there the plans are discarded.
 */
import { isAuditable } from './audit.ts';
import type { Link } from './link.ts';
import type { PinReason } from './route.ts';

/** DISCARD ALL does not end these. */
const OUTLASTING: ReadonlySet<PinReason> = new Set(['loads-library', 'ends-with-connection', 'seeds-random']);

const TEMPORARY: readonly PinReason[] = ['creates-temporary', 'uses-temporary'];

export class Pinned {
  readonly because = new Set<PinReason>();
  /** Undefined: the session is free. */
  to: Link | undefined = undefined;
  /** No question can find out whether it is free again. */
  isForGood = false;

  pin(link: Link, because: PinReason): void {
    const had = this.#hasTemporary;
    this.#add(link, because);
    if (!had && this.#hasTemporary) beginTemporary(link);
  }

  /** What there is at the connection: nothing but these. */
  become(link: Link, reasons: readonly PinReason[]): void {
    const had = this.#hasTemporary;
    this.because.clear();
    if (reasons.length === 0) this.free();
    for (const because of reasons) this.#add(link, because);
    if (!had && this.#hasTemporary) beginTemporary(link);
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

  get #hasTemporary(): boolean {
    return TEMPORARY.some((because) => this.because.has(because));
  }

  #add(link: Link, because: PinReason): void {
    this.to = link;
    this.because.add(because);
    if (!isAuditable(because)) this.isForGood = true;
    if (OUTLASTING.has(because)) link.isSpoilt = true;
    link.isSoiled = true;
  }
}

function beginTemporary(link: Link): void {
  // What failed has made no schema either, and nothing is answered there.
  if (link.status === 'E') return;
  if (link.hasTemporarySchema) link.ask('DISCARD PLANS');
  link.hasTemporarySchema = true;
}
