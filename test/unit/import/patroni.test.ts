/**
 * Whole configurations of Patroni, with everything in them, and what becomes of them; the rows of the table of keys; the
 * variables. `UPDATE=1` writes the expected files anew.
 */
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse, stringify } from 'yaml';
import { isRecord } from '../../../src/base/index.ts';
import { checkConfig, schemaAt } from '../../../src/config/index.ts';
import {
  formatNote,
  type Imported,
  importPatroni,
  PATRONI_KEYS,
  PATRONI_VARIABLES,
  type PatroniRow,
  recognize,
} from '../../../src/import/index.ts';
import { ROOT, readText } from '../../support/sources.ts';

const FOLDER = 'test/golden/import';
const sources = readdirSync(join(ROOT, FOLDER)).filter((name) => name.endsWith('-patroni.yml'));

/** What a result needs and the source does not say, or says in a form that cannot be. */
const WRONG: Readonly<Record<string, readonly string[]>> = {
  'debian-patroni.yml': [
    'postgresql.authentication.superuser.password',
    'postgresql.authentication.rewind.password',
  ],
  'refused-patroni.yml': ['etcd', 'postgresql.data_dir'],
};

function read(text: string, env: Readonly<Record<string, string>> = {}): Imported {
  return importPatroni([{ path: 'patroni.yml', text }], env, { datacenter: undefined, binDir: '/usr/bin' });
}

for (const source of sources) {
  test(`${source} becomes the matriarch.yaml beside it, with the notes and refusals beside it`, () => {
    const text = readText(`${FOLDER}/${source}`) ?? '';
    assert.equal(recognize(text), 'patroni');
    const { yaml, notes, refusals } = importPatroni(
      [{ path: source, text }],
      {},
      {
        datacenter: undefined,
        binDir: '/usr/bin',
      },
    );
    const outcome = `${yaml}${list('notes', notes.map(formatNote))}${list('refusals', refusals.map(formatNote))}`;
    const expected = `${FOLDER}/${source}.expected`;
    if (process.env['UPDATE'] === '1') writeFileSync(join(ROOT, expected), outcome);
    assert.equal(outcome, readText(expected));
    const checked = checkConfig(yaml, {}, 'agent');
    const problems = checked.outcome === 'ok' ? [] : checked.problems.map(({ key }) => key);
    assert.deepEqual(problems, WRONG[source] ?? []);
  });
}

/** Lines of the expected file, under a title. */
function list(title: string, lines: readonly string[]): string {
  return `--- ${title}\n${lines.join('\n')}\n`;
}

test('there are golden files to compare with', () => assert.equal(sources.length, 3));

/** One of these is good for each key that is translated by itself. */
const SAMPLES: readonly unknown[] = [
  'INFO',
  'required',
  '10.0.0.1:5432',
  ['host all all all scram-sha-256'],
  true,
  { key: 'value' },
  '/some/text',
];

test(`each of the ${Object.keys(PATRONI_KEYS).length} keys does what its row says`, () => {
  for (const [key, row] of Object.entries(PATRONI_KEYS)) check(key, row);
});

function check(pattern: string, row: PatroniRow): void {
  const key = pattern.replace('*', 'x');
  const at = (value: unknown): Imported => read(stringify(nested(key.split('.'), value)));
  const said = ({ notes, refusals }: Imported, of: 'notes' | 'refusals'): readonly string[] =>
    (of === 'notes' ? notes : refusals).filter((note) => note.key === key).map(({ says }) => says);
  if ('none' in row) {
    assert.ok(said(at('some/text'), 'notes').includes(row.none), key);
    for (const value of row.silentIf ?? []) assert.deepEqual(said(at(value), 'notes'), [], key);
    return;
  }
  if ('refused' in row) {
    assert.ok(said(at('some/text'), 'refusals').includes(row.refused), key);
    for (const value of row.unless ?? []) assert.deepEqual(said(at(value), 'refusals'), [], key);
    return;
  }
  if ('together' in row) {
    assert.ok(!said(at('some/text'), 'notes').some((says) => says.startsWith('unknown')), key);
    if (row.says !== undefined) assert.deepEqual(said(at('some/text'), 'notes'), [row.says], key);
    for (const value of row.silentIf ?? []) assert.deepEqual(said(at(value), 'notes'), [], key);
    const named = row.together.match(/\b(name|log|etcd|postgresql|bootstrap)\.[\w.]+/g) ?? [];
    const missing = named.filter((target) => schemaAt(target.split('.')) === undefined);
    assert.deepEqual(missing, [], `${key} becomes ${row.together}`);
    return;
  }
  assert.ok(schemaAt(row.to.split('.')) !== undefined, `${key} becomes ${row.to}`);
  const sample = SAMPLES.find((value) => 'value' in row.read(value));
  assert.ok(sample !== undefined, `${key} takes none of the samples`);
  const taken = row.read(sample);
  const tree: unknown = parse(at(sample).yaml);
  const got = row.to.split('.').reduce<unknown>((v, step) => (isRecord(v) ? v[step] : undefined), tree);
  assert.deepEqual(got, 'value' in taken ? taken.value : undefined, key);
}

function nested(steps: readonly string[], value: unknown): unknown {
  return steps.reduceRight((inner, step) => ({ [step]: inner }), value);
}

test(`each of the ${PATRONI_VARIABLES.length} variables sets a key that is known, over the file`, () => {
  assert.ok(PATRONI_VARIABLES.length > 200);
  const wrong = PATRONI_VARIABLES.filter((variable) => {
    const good = ['true', '7', 'a', '{a: 1}', '[a]'].find(
      (text) =>
        !read('{}', { [variable]: text }).notes.some(
          ({ key, says }) => key === variable && says.includes('is no'),
        ),
    );
    const { notes } = read('{}', { [variable]: good ?? '' });
    return good === undefined || notes.some(({ says }) => says.startsWith('unknown'));
  });
  assert.deepEqual(wrong, []);
});

test('variables come first, in Patroni’s forms, and roles may be given by name', () => {
  const { yaml, notes } = read('name: a\nscope: s\netcd3: { host: "10.0.0.1:2379" }\n', {
    PATRONI_NAME: 'b',
    PATRONI_SCOPE: '',
    PATRONI_ETCD3_HOSTS: "'10.0.0.2:2379','10.0.0.3'",
    PATRONI_LOGLEVEL: 'DEBUG',
    PATRONI_admin_PASSWORD: 'secret',
    PATRONI_admin_OPTIONS: 'createrole,createdb',
    PATRONI_SUPERUSER_USERNAME: 'boss',
    PATRONI_SUPPERUSER_USERNAME: 'boss',
    PATRONI_LOG_FILE_NUM: 'many',
    PATRONI_CONFIGURATION: 'scope: other',
    OTHER: '1',
  });
  const tree: unknown = parse(yaml);
  assert.ok(isRecord(tree));
  assert.deepEqual([tree['name'], tree['scope'], tree['log']], ['b', 's', { level: 'debug' }]);
  assert.deepEqual(tree['etcd'], { endpoints: ['http://10.0.0.2:2379', 'http://10.0.0.3:2379'] });
  assert.deepEqual(tree['bootstrap'], {
    users: [{ username: 'admin', password: 'secret', options: ['createrole', 'createdb'] }],
  });
  const told = notes.map(formatNote);
  assert.ok(told.includes('environment: PATRONI_SUPPERUSER_USERNAME: unknown variable'), told.join('\n'));
  assert.ok(told.includes('environment: PATRONI_LOG_FILE_NUM: is no whole number; left out'));
});

test('files of a directory are laid over each other, and a note names the one that counts', () => {
  const files = [
    { path: '10.yml', text: 'scope: s\nname: a\nrestapi:\n  listen: 10.0.0.1:8008\n  ciphers: EDH\n' },
    {
      path: '20.yml',
      text: 'name: b\nrestapi:\n  connect_address: 10.0.0.2:8008\n  ciphers: ECDHE\ntags: ~\n',
    },
  ];
  const { yaml, notes } = importPatroni(files, {}, { datacenter: 'dc1', binDir: undefined });
  const tree: unknown = parse(yaml);
  assert.ok(isRecord(tree));
  assert.equal(tree['name'], 'b');
  assert.deepEqual(tree['restapi'], { listen: '10.0.0.1:8008', connect_address: '10.0.0.2:8008' });
  assert.deepEqual(notes.map(formatNote), [
    '20.yml:4: restapi.ciphers = ECDHE: the ciphers are those of the Node.js in use',
  ]);
});

test('the modes of the watchdog, in all of Patroni’s spellings', () => {
  assert.deepEqual(['off', 'false', '"OFF"', 'disabled'].map(watchdogMode), ['off', 'off', 'off', 'off']);
  assert.deepEqual(['auto', 'automatic'].map(watchdogMode), ['automatic', 'automatic']);
  assert.deepEqual(['require', 'Required'].map(watchdogMode), ['required', 'required']);
  assert.deepEqual(watchdogMode('sometimes'), ['is none of off, automatic, required; left out']);
});

/** What becomes of a mode, or what is said of it. */
function watchdogMode(value: string): unknown {
  const { yaml, notes, refusals } = read(`watchdog: { mode: ${value}, device: /dev/wd1, safety_margin: 5 }`);
  assert.deepEqual(refusals, []);
  const tree: unknown = parse(yaml);
  assert.ok(isRecord(tree) && isRecord(tree['watchdog']));
  assert.equal(tree['watchdog']['device'], '/dev/wd1');
  const said = notes.filter(({ key }) => key === 'watchdog.mode').map(({ says }) => says);
  return tree['watchdog']['mode'] ?? said;
}

test('what is no YAML, or no mapping, is refused', () => {
  assert.deepEqual(read('a: [').refusals.length > 0, true);
  assert.deepEqual(read('- a\n').refusals.map(formatNote), [
    'patroni.yml:1: YAML: is no mapping of keys to values',
  ]);
});

test('roles of the old form, a socket with others, an address with IPv6', () => {
  const { yaml } = read(`postgresql:
  name: old
  listen: ::1:5433
  superuser: { username: s, password: p }
  replication: { username: r, password: q }
  parameters: { unix_socket_directories: "@abstract, /srv/run/" }
`);
  const tree: unknown = parse(yaml);
  assert.ok(isRecord(tree) && isRecord(tree['postgresql']));
  assert.equal(tree['name'], 'old');
  assert.deepEqual(tree['postgresql']['authentication'], {
    superuser: { username: 's', password: 'p' },
    replication: { username: 'r', password: 'q' },
    rewind: { username: 's', password: 'p' },
  });
  assert.equal(tree['postgresql']['listen'], '[::1]:5433');
  assert.equal(tree['postgresql']['socket_dir'], '/srv/run');
});
