/** Every row of the tables of keys: what it says is what comes out, and what it leads to is there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { isRecord } from '../../../src/base/index.ts';
import { schemaAt } from '../../../src/config/index.ts';
import {
  DATABASE_KEYS,
  PEER_KEYS,
  PGBOUNCER_KEYS,
  PGPOOL_KEYS,
  type Row,
  type Table,
  USER_KEYS,
} from '../../../src/import/index.ts';
import { imported } from '../../support/imports.ts';

/** One of these is good for each key that is translated by itself. */
const SAMPLES = ['7', 'on', 'session', 'secure', 'require', 'scram-sha-256', 'warning', 'some/text'];

interface Case {
  readonly table: Table;
  /** A source with `key = value` at the place of this table. */
  readonly source: (key: string, value: string) => string;
  readonly origin: 'pgbouncer' | 'pgpool';
  /** Where the keys of the result are. */
  readonly under: readonly string[];
}

const CASES: Readonly<Record<string, Case>> = {
  pgbouncer: {
    table: PGBOUNCER_KEYS,
    source: (key, value) => `[pgbouncer]\n${key} = ${value}\n`,
    origin: 'pgbouncer',
    under: [],
  },
  databases: {
    table: DATABASE_KEYS,
    source: (key, value) => `[databases]\n* =\nx = host=h ${key}='${value}'\n`,
    origin: 'pgbouncer',
    under: ['router', 'databases', 'x'],
  },
  users: {
    table: USER_KEYS,
    source: (key, value) => `[users]\nx = ${key}='${value}'\n`,
    origin: 'pgbouncer',
    under: ['router', 'users', 'x'],
  },
  peers: {
    table: PEER_KEYS,
    source: (key, value) => `[peers]\n1 = ${key}='${value}'\n`,
    origin: 'pgbouncer',
    under: [],
  },
  pgpool: {
    table: PGPOOL_KEYS,
    source: (key, value) => `${key} = '${value}'\n`,
    origin: 'pgpool',
    under: [],
  },
};

for (const [name, each] of Object.entries(CASES)) {
  test(`each of the ${Object.keys(each.table).length} keys of ${name} does what its row says`, () => {
    assert.ok(Object.keys(each.table).length > 0);
    for (const [key, row] of Object.entries(each.table)) check(each, key, row);
  });
}

function check(each: Case, key: string, row: Row): void {
  const read = (value: string) => imported(each.origin, each.source(key, value));
  const saysOf = (value: string) =>
    read(value)
      .notes.filter((note) => note.key === key)
      .map(({ says }) => says);
  if ('none' in row) {
    assert.deepEqual(saysOf('some/text'), [row.none], key);
    for (const value of row.silentIf ?? []) assert.deepEqual(saysOf(value), [], `${key} = ${value}`);
    return;
  }
  assert.ok(!saysOf('7').some((says) => says.startsWith('unknown')), key);
  if ('together' in row) {
    const named = row.together.match(/\b(router\.[\w.]+|nodes)\b/g) ?? [];
    const missing = named.filter((target) => !isSetting(target.split('.')));
    assert.deepEqual(missing, [], `${key} becomes ${row.together}`);
    return;
  }
  const path = [...each.under, ...row.to.split('.')];
  assert.ok(isSetting(path), `${key} becomes ${row.to}`);
  const sample = SAMPLES.find((value) => 'value' in row.read(value));
  assert.ok(sample !== undefined, `${key} takes none of the samples`);
  const taken = row.read(sample);
  const tree: unknown = parse(read(sample).yaml);
  assert.deepEqual(at(tree, path), 'value' in taken ? taken.value : undefined, key);
  if (row.absent !== undefined) {
    const without: unknown = parse(imported(each.origin, each.source('', '')).yaml);
    assert.equal(at(without, row.to.split('.')), row.absent, `${key} left out`);
  }
}

const isSetting = (path: readonly string[]): boolean => schemaAt(path) !== undefined;

function at(tree: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), tree);
}
