/** What the classification of a statement says about the unit of work that it is in, beside where it must run. Pure. */
import { type Classification, isLocal, NOT_LOOKED_AT, type SpokenOf, type Verdict } from '../sql/index.ts';
import type { PreparedStatements } from './prepared.ts';
import type { RouteReason } from './route.ts';
import type { Unit } from './unit.ts';

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
  'function-trusted',
  'runs-code',
]);

/** What may do anything at all to its connection, since its code or text was not looked into. */
const SUSPECT: ReadonlySet<RouteReason> = new Set([
  'function-not-known',
  'function-trusted',
  'runs-code',
  'executes-prepared',
  'statement-not-known',
  'node-not-known',
  ...NOT_LOOKED_AT,
]);

/** Reads that say nothing of what their transaction will do. */
const AROUND: ReadonlySet<RouteReason> = new Set(['savepoint', 'transaction-local', 'set-transaction']);

/** What it is about to do, for those who ask why. */
export function noteFound(unit: Unit, found: Classification): void {
  if (unit.found !== undefined && unit.found !== found) unit.isMixed = true;
  if (unit.found === undefined || found.kind === 'write' || found.kind === 'session') unit.found = found;
  if (found.kind !== 'read' || AROUND.has(found.because)) unit.hasOther = true;
}

export function noteFacts(unit: Unit, classification: Classification): void {
  const { kind, settings, controlsTransaction, endsTransaction } = classification;
  for (const verdict of classification.among ?? [classification]) noteVerdict(unit, verdict);
  if (kind === 'session') unit.pinBecause.add(classification.because);
  if (controlsTransaction || kind === 'begin' || kind === 'end') unit.controlsTransaction = true;
  if (isAboutTransaction(classification)) unit.isAboutTransaction = true;
  if (endsTransaction) unit.endsAmong = true;
  if (settings.length > 0) unit.settings.push(...settings);
  if (kind !== 'set') unit.doesMore = true;
  if (classification.sets !== undefined) unit.sets.push(...classification.sets);
  if (classification.runsUnseen === true) unit.isSuspect = true;
  if (classification.creates === true) unit.creates = true;
  if (unit.sets.length > 0) unit.setsLocally = true;
}

/** Each statement of a text acts, whichever gives the reason for where the text runs. */
function noteVerdict(unit: Unit, verdict: Verdict): void {
  const { kind, because } = verdict;
  if (kind === 'session') unit.pinBecause.add(because);
  if (UNPINNING.has(because)) unit.mayUnpin = true;
  if (SUSPECT.has(because)) unit.isSuspect = true;
  if (because === 'changes-schema' || because === 'selects-into') unit.changesDefinitions = true;
  if (because === 'savepoint') unit.hasSavepoint = true;
  if (isLocal(verdict)) unit.setsLocally = true;
}

/** It begins or ends a transaction, or says of which kind it is, and nothing else. */
export function isAboutTransaction(found: Classification): boolean {
  return found.kind === 'begin' || found.kind === 'end' || (found.kind === 'read' && found.isPlain === true);
}

/** A text of several runs what was prepared by the protocol: what that sets or leaves is kept where it was made. */
export function noteSpoken(unit: Unit, prepared: PreparedStatements, spoken: readonly SpokenOf[]): void {
  for (const { name } of spoken) {
    const named = name === undefined ? undefined : prepared.get(name);
    if (named === undefined) continue;
    unit.intend(named.intent);
    unit.isSuspect = true;
    if (named.classification.kind !== 'session' && named.classification.settings.length === 0) continue;
    unit.mayPin = true;
    unit.pinBecause.add('settings-unknown');
  }
}
