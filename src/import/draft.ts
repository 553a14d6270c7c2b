/** The matriarch.yaml in the making, with its notes, and how rows of a table are carried out on it. */
import { stringify } from 'yaml';
import { isRecord } from '../base/index.ts';
import { nearest, schemaAt } from '../config/index.ts';
import { type Entry, type Imported, type Note, noteOn, type Wishes } from './note.ts';
import type { Table } from './row.ts';

type Tree = Record<string, unknown>;

/** As a person would order the file. */
const TOP = [
  'scope',
  'namespace',
  'name',
  'datacenter',
  'nodes',
  'log',
  'etcd',
  'router',
  'restapi',
  'postgresql',
  'bootstrap',
  'tags',
] as const;

/** More than any file has. */
const LINES_MAX = 1e9;

export class Draft {
  readonly #file: string;
  readonly #tree: Tree = {};
  readonly #notes: Note[] = [];
  readonly #refusals: Note[] = [];
  readonly #origins = new Map<string, Entry>();

  constructor(file: string) {
    this.#file = file;
    for (const key of TOP) this.#tree[key] = undefined;
  }

  /** A key that the schema does not have is left out, and said: a result that is refused is of no use to anyone. */
  set(path: string | readonly string[], value: unknown, entry?: Entry): void {
    const keys = typeof path === 'string' ? path.split('.') : path;
    if (schemaAt(keys) === undefined) {
      const says = `this version has no ${keys.join('.')}; left out`;
      if (entry === undefined) this.added(keys.join('.'), String(value), says);
      else this.note(entry, says);
      return;
    }
    if (entry !== undefined) this.#origins.set(keys.join('.'), entry);
    let at = this.#tree;
    for (const key of keys.slice(0, -1)) {
      const below = at[key];
      const next: Tree = isRecord(below) ? below : {};
      at[key] = next;
      at = next;
    }
    const last = keys.at(-1);
    if (last !== undefined) at[last] = value;
  }

  note(entry: Entry, says: string): void {
    this.#notes.push(noteOn(entry, says));
  }

  /** What nobody may do without: a result with any of these is not to be used. */
  refuse(entry: Entry, says: string): void {
    this.#refusals.push(noteOn(entry, says));
  }

  refuseAs(note: Note): void {
    this.#refusals.push(note);
  }

  addNotes(notes: readonly Note[]): void {
    this.#notes.push(...notes);
  }

  /** A setting that the result has or needs, and the source does not have. */
  added(key: string, value: string, says: string): void {
    this.#notes.push({ file: this.#file, line: 0, key, value, says });
  }

  /** Carries `entry` out by its row; `under` is where the keys of the table are, `as` the row’s key. Rows that work together are the caller's. */
  carryOut(
    table: Table,
    entry: Entry,
    { under = [], as = entry.key }: { readonly under?: readonly string[]; readonly as?: string } = {},
  ): void {
    const row = Object.hasOwn(table, as) ? table[as] : undefined;
    if (row === undefined) {
      const near = nearest(entry.key, Object.keys(table));
      return this.note(entry, `unknown key${near === undefined ? '' : `; did you mean ${near}?`}`);
    }
    if ('together' in row) return;
    if ('none' in row) {
      if (!(row.silentIf ?? []).includes(entry.value.toLowerCase())) this.note(entry, row.none);
      return;
    }
    // In both formats an empty value is as if the key were not there.
    if (entry.value === '') return;
    const read = row.read(entry.value);
    if ('bad' in read) return this.note(entry, `${read.bad}; left out`);
    if (read.value !== undefined) this.set([...under, ...row.to.split('.')], read.value, entry);
    for (const says of [row.says, read.says]) if (says !== undefined) this.note(entry, says);
  }

  /** Writes out the defaults of the source that are not ours, for keys that the source does not have. */
  addDefaults(table: Table, entries: readonly Entry[]): void {
    const given = new Set(entries.map(({ key }) => key));
    for (const [key, row] of Object.entries(table)) {
      if ('to' in row && row.absent !== undefined && !given.has(key)) this.set(row.to, row.absent);
    }
  }

  /** What every matriarch.yaml needs and no source has. */
  addNames({ scope, name, datacenter }: Wishes): void {
    const wanted = {
      scope: [scope, 'main'],
      name: [name, 'router1'],
      datacenter: [datacenter, 'dc1'],
    } as const;
    for (const [key, [wish, instead]] of Object.entries(wanted)) {
      this.set(key, wish ?? instead);
      if (wish === undefined)
        this.added(key, instead, `is needed and not in the source; say it with --${key}`);
    }
  }

  done(userList: string | undefined): Imported {
    const head = `# Made by \`matriarch config import\` from ${this.#file}.\n`;
    const files = [...new Set(this.#notes.map(({ file }) => file))];
    const place = ({ file, line }: Note): number => files.indexOf(file) * LINES_MAX + line;
    const notes = this.#notes.toSorted((a, b) => place(a) - place(b));
    return {
      yaml: head + stringify(this.#tree, { lineWidth: 0 }),
      notes,
      userList,
      refusals: this.#refusals,
      origins: this.#origins,
    };
  }
}
