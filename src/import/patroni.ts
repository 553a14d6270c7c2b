/**
 * A Patroni configuration (files, and the variables over them) to matriarch.yaml: every key is carried over, has no effect
 * for a reason, is refused, or is unknown and named with the key that it may have been meant as. Pure: what has to be
 * looked for on the host (the programs of PostgreSQL) is given.
 */
import { isRecord } from '../base/index.ts';
import { nearest, type Path } from '../config/index.ts';
import { Draft } from './draft.ts';
import type { Entry, Imported, SourceFile } from './note.ts';
import { type Environment, environmentLayer } from './patroni-environment.ts';
import { PATRONI_KEYS } from './patroni-keys.ts';
import type { PatroniRow } from './patroni-row.ts';
import { fileLayer, layered, type PatroniSource } from './patroni-source.ts';
import {
  addEndpoints,
  addLeftOut,
  addPostgresql,
  addUsers,
  entryOf,
  knownSections,
} from './patroni-together.ts';

export interface PatroniWishes {
  readonly datacenter: string | undefined;
  /** Where this host's PATH has `postgres`. */
  readonly binDir: string | undefined;
}

/** `files` in the order in which Patroni reads them. */
export function importPatroni(
  files: readonly SourceFile[],
  environment: Environment,
  wishes: PatroniWishes,
): Imported {
  const read = files.map(fileLayer);
  const variables = environmentLayer(environment);
  const source = layered([...read.map(({ layer }) => layer), variables.layer]);
  const draft = new Draft(files[0]?.path ?? 'the environment');
  draft.addNotes(variables.notes);
  for (const problem of read.flatMap(({ problems }) => problems)) draft.refuseAs(problem);
  new Walk(draft, source).section([], source.value);
  addEndpoints(draft, source);
  addPostgresql(draft, source, wishes.binDir);
  addUsers(draft, source);
  addLeftOut(draft, source, wishes.datacenter);
  return draft.done(undefined);
}

/** Goes through the tree, and carries out each key by its row. */
class Walk {
  readonly #draft: Draft;
  readonly #source: PatroniSource;
  readonly #sections: ReadonlySet<string>;

  constructor(draft: Draft, source: PatroniSource) {
    this.#draft = draft;
    this.#source = source;
    this.#sections = knownSections(source);
  }

  /** `isCarried`: the section is in the result as it is, whatever is in it. */
  section(path: Path, tree: Readonly<Record<string, unknown>>, isCarried = false): void {
    for (const [key, value] of Object.entries(tree)) this.#key([...path, key], value, isCarried);
  }

  #key(path: Path, value: unknown, isCarried: boolean): void {
    const entry = entryOf(this.#source, path);
    const pattern = patternOf(path);
    const row = pattern === undefined ? undefined : PATRONI_KEYS[pattern];
    const isAbove = BRANCHES.has(pattern ?? branchOf(path) ?? '');
    if (row !== undefined) this.#carryOut(row, entry, value);
    if (isAbove && isRecord(value)) return this.section(path, value, isCarried || row !== undefined);
    if (row !== undefined || value === null) return;
    if (isAbove) return this.#draft.note(entry, 'is no section; left out');
    if (this.#sections.has(path.join('.'))) {
      return this.#draft.note({ ...entry, value: '' }, 'the method is not used');
    }
    const near = nearest(entry.key.split('.').at(-1) ?? '', siblingsOf(path));
    const meant = near === undefined ? '' : `; did you mean ${near}?`;
    this.#draft.note(entry, `unknown key${isCarried ? ', kept as it is' : ''}${meant}`);
  }

  #carryOut(row: PatroniRow, entry: Entry, value: unknown): void {
    if ('together' in row || 'none' in row) {
      const says = 'none' in row ? row.none : row.says;
      if (says !== undefined && !(row.silentIf ?? []).includes(value)) this.#draft.note(entry, says);
      return;
    }
    if ('refused' in row) {
      if (!(row.unless ?? [null]).includes(value)) this.#draft.refuse(entry, row.refused);
      return;
    }
    if (value === null) return;
    const read = row.read(value);
    if ('bad' in read) return this.#draft.note(entry, `${read.bad}; left out`);
    if (read.value !== undefined) this.#draft.set(row.to, read.value, entry);
    for (const says of [row.says, read.says]) if (says !== undefined) this.#draft.note(entry, says);
  }
}

/** The key of the table that `path` is: a name of its own comes before any name. */
function patternOf(path: Path): string | undefined {
  return matching(path, (pattern) => Object.hasOwn(PATRONI_KEYS, pattern));
}

/** The branch of the table that `path` is. */
function branchOf(path: Path): string | undefined {
  return matching(path, (pattern) => BRANCHES.has(pattern));
}

function matching(path: Path, isThere: (pattern: string) => boolean): string | undefined {
  const steps = path.map(String);
  for (const from of [steps.length, steps.length - 1, steps.length - 2]) {
    const pattern = steps.map((step, index) => (index === from ? '*' : step)).join('.');
    if (from >= 0 && isThere(pattern)) return pattern;
  }
  return undefined;
}

/** Paths of the table that have keys under them. */
const BRANCHES: ReadonlySet<string> = new Set(
  Object.keys(PATRONI_KEYS).flatMap((key) => {
    const steps = key.split('.');
    return steps.slice(1).map((_, index) => steps.slice(0, index + 1).join('.'));
  }),
);

/** Names that could stand in place of the last one of `path`. */
function siblingsOf(path: Path): readonly string[] {
  const above = path.slice(0, -1).join('.');
  const prefix = above === '' ? '' : `${above}.`;
  const names = Object.keys(PATRONI_KEYS)
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length).split('.')[0] ?? '');
  return [...new Set(names)].filter((name) => name !== '*');
}
