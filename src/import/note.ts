/** What an import says beside its result: places in the source, and what about them is not as it was. */

/** A line of a source file; line 0 is the file as a whole. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

/** A setting as the source has it. `section` is empty where the format has none. */
export interface Entry extends Place {
  readonly section: string;
  readonly key: string;
  readonly value: string;
}

/** Something without a counterpart, of another meaning, unknown, or needed and not in the source. */
export interface Note extends Place {
  readonly key: string;
  readonly value: string;
  readonly says: string;
}

/** Files that an import has been given, by the name that the source has for them; undefined: could not be read. */
export type Files = ReadonlyMap<string, SourceFile | undefined>;

export interface SourceFile {
  /** Absolute, for references that stay in the result. */
  readonly path: string;
  readonly text: string;
}

/** What the source does not say and an import has to know. */
export interface Wishes {
  readonly scope: string | undefined;
  readonly name: string | undefined;
  readonly datacenter: string | undefined;
  /** Where passwords are to be written to that the source has in another form. */
  readonly userList: string | undefined;
}

export interface Imported {
  /** The text of matriarch.yaml. */
  readonly yaml: string;
  /** In the order of the source. */
  readonly notes: readonly Note[];
  /** Passwords in the form of `router.auth_file`, where the source keeps them in another one. */
  readonly userList: string | undefined;
  /** What the source asks for and nobody may do without: with any of these the result is not to be used. */
  readonly refusals: readonly Note[];
  /** Where settings of the result come from, by their path with dots. */
  readonly origins: ReadonlyMap<string, Entry>;
}

/** An import wants files that it has not seen, or is done. */
export type ImportStep =
  | { readonly kind: 'wants'; readonly files: readonly string[] }
  | { readonly kind: 'done'; readonly imported: Imported };

export function formatNote({ file, line, key, value, says }: Note): string {
  return `${file}:${line === 0 ? '' : `${line}:`} ${key}${value === '' ? '' : ` = ${value}`}: ${says}`;
}

/** The note on `entry`; a value that may hold a password is not repeated. */
export function noteOn(entry: Entry, says: string): Note {
  const { file, line, key, value } = entry;
  return {
    file,
    line,
    key,
    value: /passw(or)?d|authkey|token|user:.*@/i.test(`${key} ${value}`) ? '…' : value,
    says,
  };
}
