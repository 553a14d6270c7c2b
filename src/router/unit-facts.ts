/** What the classification of a statement says about the unit of work that it is in, beside where it must run. Pure. */
import type { Classification } from '../sql/index.ts';
import type { RouteReason } from './route.ts';
import { ALL_STATEMENTS, type Unit } from './unit.ts';

/** What may take away the last state that a pinned session has on its connection. */
const UNPINNING: ReadonlySet<RouteReason> = new Set([
  'notifies',
  'changes-schema',
  'uses-cursor',
  'forgets-statement',
  'holds-session-lock',
  'discards-state',
  'ends-transaction',
  'function-volatile',
  'function-not-known',
  'runs-code',
]);

/** What may do anything at all to its connection, since its code or text was not looked into. */
const SUSPECT: ReadonlySet<RouteReason> = new Set([
  'function-not-known',
  'runs-code',
  'executes-prepared',
  'statement-not-known',
  'node-not-known',
  'not-parsed',
  'too-long',
  'too-dense',
  'not-utf8',
  'grammar-not-ready',
]);

export function noteFacts(unit: Unit, classification: Classification): void {
  const { kind, because, detail, settings, controlsTransaction, endsTransaction } = classification;
  if (kind === 'session') unit.pinBecause.add(because);
  if (controlsTransaction || kind === 'begin' || kind === 'end') unit.controlsTransaction = true;
  if (endsTransaction) unit.endsAmong = true;
  if (settings.length > 0) unit.settings.push(...settings);
  if (UNPINNING.has(because)) unit.mayUnpin = true;
  if (SUSPECT.has(because)) unit.isSuspect = true;
  if (because === 'changes-schema') unit.changesDefinitions = true;
  if (because === 'savepoint') unit.hasSavepoint = true;
  const setsConfig = because === 'function-volatile' && detail?.endsWith('set_config') === true;
  if (setsConfig || because === 'transaction-local') unit.setsLocally = true;
  unit.names ??= namedIn(classification);
  if (because !== 'forgets-statement' && because !== 'several-with-forgetting') return;
  unit.forgets = detail ?? ALL_STATEMENTS;
  unit.isSeveral = because === 'several-with-forgetting';
}

/** The prepared statement that SQL speaks of by the client's name for it; empty for all of them. */
export function namedIn({ because, detail }: Classification): string | undefined {
  if (because === 'executes-prepared') return detail;
  return because === 'forgets-statement' ? (detail ?? ALL_STATEMENTS) : undefined;
}
