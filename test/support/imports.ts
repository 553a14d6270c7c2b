/** Imports of texts, with the files beside them, for tests of `config import`. */
import assert from 'node:assert/strict';
import { basename } from 'node:path';
import {
  type Imported,
  type ImportStep,
  importPgbouncer,
  importPgpool,
  type Origin,
  type SourceFile,
} from '../../src/import/index.ts';

export interface ImportOptions {
  /** Files that the source may name, by that name. */
  readonly files?: Readonly<Record<string, string>>;
  readonly userList?: string;
  readonly file?: string;
}

/** To the end, as the command does it; files that are not given cannot be read. */
export function imported(origin: Origin, text: string, options: ImportOptions = {}): Imported {
  const {
    files: given = {},
    userList,
    file = origin === 'pgbouncer' ? 'pgbouncer.ini' : 'pgpool.conf',
  } = options;
  const files = new Map<string, SourceFile | undefined>();
  const wishes = { scope: 'main', name: 'app1', datacenter: 'dc1', userList };
  const step = (): ImportStep =>
    (origin === 'pgbouncer' ? importPgbouncer : importPgpool)({ path: file, text }, files, wishes);
  for (;;) {
    const next = step();
    if (next.kind === 'done') return next.imported;
    assert.ok(next.files.length > 0, 'an import that wants nothing is done');
    for (const name of next.files) {
      const found = given[name];
      files.set(
        name,
        found === undefined ? undefined : { path: `/etc/pooler/${basename(name)}`, text: found },
      );
    }
  }
}
