/**
 * Whole configurations, as the packages of Debian have them and with everything in them, and what becomes of them.
 * `UPDATE=1` writes the expected files anew.
 */
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkConfig } from '../../../src/config/index.ts';
import { formatNote, recognize } from '../../../src/import/index.ts';
import { imported } from '../../support/imports.ts';
import { ROOT, readText } from '../../support/sources.ts';

const FOLDER = 'test/golden/import';
const sources = readdirSync(join(ROOT, FOLDER)).filter((name) =>
  /-(pgbouncer\.ini|pgpool\.conf)$/.test(name),
);
const files = Object.fromEntries(
  readdirSync(join(ROOT, FOLDER)).map((name) => [name, readText(`${FOLDER}/${name}`) ?? '']),
);

/** What a result needs and the source does not say. */
const NOT_IN_THE_SOURCE: Readonly<Record<string, readonly string[]>> = {
  'debian-pgbouncer.ini': ['etcd'],
  'debian-pgpool.conf': ['etcd'],
  'debian-opened-pgbouncer.ini': ['nodes'],
};

for (const source of sources) {
  test(`${source} becomes the matriarch.yaml beside it, with the notes beside it`, () => {
    const text = files[source] ?? '';
    const origin = recognize(text);
    assert.equal(origin, source.endsWith('.ini') ? 'pgbouncer' : 'pgpool');
    const { yaml, notes, userList } = imported(origin, text, {
      files,
      file: source,
      userList: '/etc/users.txt',
    });
    const outcome = `${yaml}---\n${notes.map(formatNote).join('\n')}\n---\n${userList ?? ''}`;
    const expected = `${FOLDER}/${source}.expected`;
    if (process.env['UPDATE'] === '1') writeFileSync(join(ROOT, expected), outcome);
    assert.equal(outcome, readText(expected));
    const checked = checkConfig(yaml, {}, 'router');
    const problems = checked.outcome === 'ok' ? [] : checked.problems.map(({ key }) => key);
    assert.deepEqual(problems, NOT_IN_THE_SOURCE[source] ?? []);
  });
}

test('there are golden files to compare with', () => assert.equal(sources.length, 6));
