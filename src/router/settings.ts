/**
 * The settings a client has made on its session, as a log that can be replayed on another server connection. A
 * later statement about the same settings replaces the earlier, so the log is as long as what differs from the
 * start, not as the session's history. Bounded: past the bound the session keeps to one server instead. Pure.
 */
import { unreachable } from '../base/index.ts';
import type { SettingStatement } from '../sql/index.ts';

interface Entry {
  readonly version: number;
  readonly text: string;
  readonly names: readonly string[];
}

export interface SettingsLimits {
  readonly entriesMax: number;
  readonly bytesMax: number;
}

const IDENTITY: ReadonlySet<string> = new Set(['role', 'session_authorization']);

export class SettingsLog {
  readonly #limits: SettingsLimits;
  #entries: readonly Entry[] = [];
  #version = 0;

  constructor(limits: SettingsLimits) {
    this.#limits = limits;
  }

  /** Grows with each recorded statement; a server connection remembers up to which it was brought. */
  get version(): number {
    return this.#version;
  }

  /** These can be recorded for certain, whatever they replace. */
  hasRoom(statements: readonly SettingStatement[]): boolean {
    const { entriesMax, bytesMax } = this.#limits;
    const entries = this.#entries.length + statements.length;
    const bytes = [...this.#entries, ...statements].reduce((sum, { text }) => sum + text.length, 0);
    return entries <= entriesMax && bytes <= bytesMax;
  }

  /** Records a statement that succeeded. False: there is no room, and it was not recorded. */
  record(statement: SettingStatement): boolean {
    const names = statement.changes.map((change) => change.name);
    const kept = this.#entries.filter((entry) => !isReplaced(entry, statement, names));
    const bytes = kept.reduce((sum, entry) => sum + entry.text.length, statement.text.length);
    if (kept.length >= this.#limits.entriesMax || bytes > this.#limits.bytesMax) return false;
    this.#version += 1;
    this.#entries = [...kept, { version: this.#version, text: statement.text, names }];
    return true;
  }

  /** The statements that a connection brought up to `version` still lacks, in order. */
  since(version: number): readonly string[] {
    return this.#entries.filter((entry) => entry.version > version).map((entry) => entry.text);
  }
}

function isReplaced(entry: Entry, statement: SettingStatement, names: readonly string[]): boolean {
  switch (statement.clears) {
    case 'everything':
      return true;
    case 'settings':
      return !entry.names.some((name) => IDENTITY.has(name));
    case 'nothing':
      return entry.names.length > 0 && entry.names.every((name) => names.includes(name));
  }
  return unreachable(statement.clears);
}
