/** The setting search_path as a value. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { searchPathOf } from '../../../src/sql/index.ts';

const of = (text: string | undefined, role: string | undefined = 'app') => searchPathOf({ text, role });

it('search_path is read as PostgreSQL reads it', () => {
  assert.deepEqual(of('a, B ,"C d", "e""f"'), ['pg_catalog', 'a', 'b', 'C d', 'e"f']);
  assert.deepEqual(of('"$user", public'), ['pg_catalog', 'app', 'public']);
  assert.deepEqual(of('public, pg_catalog'), ['public', 'pg_catalog']);
  assert.deepEqual(of(''), ['pg_catalog']);
  assert.deepEqual(of('""'), ['pg_catalog', '']);
  for (const wrong of [undefined, 'a b', 'a,', ',a', '"a', 'a "b"']) assert.equal(of(wrong), 'any', wrong);
  assert.equal(searchPathOf({ text: '"$user"', role: undefined }), 'any');
});
