/**
 * Connections that come back with state of their session: that is discarded, by the server itself, before the next
 * session has them. One that cannot be cleaned is of no use to anybody, nor is one whose schema for temporary objects
 * stays: see pinned.ts.
 */
import { Query, readFirstColumn } from '../wire/index.ts';
import type { Link } from './link.ts';
import type { LinkOwner } from './link-types.ts';
import { NO_SETTINGS } from './settings.ts';

/** PostgreSQL's own word for a session without state; not allowed in a transaction, and none is open. */
const CLEAN = Query('DISCARD ALL');
const TEMPORARY_SCHEMA = Query('SELECT pg_catalog.pg_my_temp_schema()');
const NONE = '0';

export class Cleaning {
  readonly #links = new Set<Link>();
  readonly #done: (link: Link, isClean: boolean) => void;
  readonly #owner: LinkOwner;

  constructor(done: (link: Link, isClean: boolean) => void) {
    this.#done = done;
    this.#owner = {
      arrived: nothing,
      forward: nothing,
      ready: nothing,
      ownAccepted: nothing,
      isPreparedBy: (link) => this.#end(link, link.ownError === undefined && !hasTemporarySchema(link)),
      ownRefused: (link) => this.#end(link, false),
      failed: () => undefined,
      completed: nothing,
      notice: nothing,
      confirmed: nothing,
      copyInBegan: nothing,
      asynchronous: nothing,
      parameter: nothing,
      outOfStep: (link) => this.#end(link, false),
      broken: (link) => this.#end(link, false),
    };
  }

  begin(link: Link): void {
    this.#links.add(link);
    link.owner = this.#owner;
    link.sendOwn(CLEAN);
    link.sendOwn(TEMPORARY_SCHEMA);
  }

  /** It is gone. */
  forget(link: Link): void {
    this.#links.delete(link);
  }

  #end(link: Link, isClean: boolean): void {
    if (!this.#links.delete(link)) return;
    link.owner = undefined;
    if (isClean) {
      link.isSoiled = false;
      link.settings = NO_SETTINGS;
      link.statements.forgetAll();
    }
    this.#done(link, isClean);
  }
}

function nothing(): void {}

function hasTemporarySchema({ probedRow }: Link): boolean {
  return probedRow === undefined || readFirstColumn(probedRow) !== NONE;
}
