/**
 * Plans and the first temporary object of a session. With PostgreSQL that makes the schema for temporary objects, and so all
 * plans of the session anew, those of functions and of PREPARE, too: they mean the temporary table from then on where it has
 * the name of another. The schema stays at its server connection when what was in it is gone. There a later session's first
 * temporary table would change no plan, and a function would go on to write into the table that everybody sees. Hence:
 *
 *  1. What is cleaned for another session has no such schema, or is closed (cleaning.ts).
 *  2. Where a connection with one goes from session to session without that (its temporary objects were dropped, and it was
 *     not soiled), plans are discarded behind each unit that has made a temporary object, or may have made one unseen
 *     before anybody can ask. More often than PostgreSQL would, never less.
 *
 * In session mode the first rule is enough.
 */
import type { Link } from './link.ts';
import type { PinReason } from './route.ts';
import type { Unit } from './unit.ts';

/** The unit has been answered. `isToBeAsked`: the server will be, what state there is, before the next unit. */
export function planAnew(unit: Unit, link: Link, isToBeAsked: boolean): void {
  const isMade = unit.executes && makesTemporary(unit);
  const isUnseen = unit.executes && !isToBeAsked && (unit.isSuspect || (unit.creates && link.isSuspect));
  if ((isMade || isUnseen) && link.hasTemporarySchema) link.hasOldPlans = true;
  if (isMade) link.hasTemporarySchema = true;
  // In a failed transaction nothing is answered; a temporary object may be there again behind a ROLLBACK TO SAVEPOINT.
  if (!link.hasOldPlans || link.status === 'E') return;
  link.hasOldPlans = false;
  link.ask('DISCARD PLANS');
}

/** The server has told what state there is; `before` is what was known of. */
export function planAnewAfterAudit(
  link: Link,
  before: ReadonlySet<PinReason>,
  pins: readonly PinReason[],
): void {
  if (!pins.includes('creates-temporary')) return;
  if (link.hasTemporarySchema && !before.has('creates-temporary')) link.ask('DISCARD PLANS');
  link.hasTemporarySchema = true;
}

function makesTemporary({ pinBecause, creates }: Unit): boolean {
  return pinBecause.has('creates-temporary') || (creates && pinBecause.has('uses-temporary'));
}
