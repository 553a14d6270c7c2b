/** pg_dump and pg_restore: a dump through a router is the dump; a schema is dropped and restored through it as well. */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clientLab, type Place } from '../support/client-lab.ts';
import { playGuest } from '../support/client-suite.ts';
import { runProgram } from '../support/program.ts';

async function run(
  place: Place,
  program: string,
  args: readonly string[],
  sslmode = 'disable',
): Promise<string> {
  const { host, port, user, password, database } = place;
  const env = {
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGPASSWORD: password,
    PGDATABASE: database,
    PGSSLMODE: sslmode,
  };
  const path = join(clientLab().binDir, program);
  const { code, stdout, stderr } = await runProgram(path, args, { env, timeoutMs: 60_000 });
  assert.equal(code, 0, `${program} ${args.join(' ')}: ${stderr}`);
  // A dump of PostgreSQL's newest minor versions is fenced by words that chance made.
  return stdout.replaceAll(/^\\(un)?restrict .*$/gm, '') + stderr;
}

const SCHEMA = `
  CREATE SCHEMA dumped;
  CREATE TABLE dumped.thing (id int PRIMARY KEY, txt text, bin bytea, arr int[], js jsonb, at timestamptz);
  CREATE SEQUENCE dumped.numbers OWNED BY dumped.thing.id;
  CREATE INDEX thing_txt ON dumped.thing (txt);
  CREATE VIEW dumped.things AS SELECT id, txt FROM dumped.thing;
  CREATE FUNCTION dumped.twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
  INSERT INTO dumped.thing SELECT g, 'text ' || g, decode(md5(g::text), 'hex'), ARRAY[g, NULL], '{"a": 1}', '2024-02-29 12:00+00'
    FROM generate_series(1, 5000) g;
`;

const dump = ['-n', 'dumped'];

/** Dumps, drops and restores as `restore` says, and dumps again. */
async function thereAndBack(
  place: Place,
  format: readonly string[],
  restore: readonly string[],
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'matriarch-dump-'));
  try {
    await run(place, 'psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-c', SCHEMA]);
    const path = join(folder, 'dump');
    await run(place, 'pg_dump', [...dump, ...format, '-f', path]);
    await run(place, 'psql', [
      '-X',
      '-q',
      '-c',
      'SET client_min_messages TO warning',
      '-c',
      'DROP SCHEMA dumped CASCADE',
    ]);
    await run(place, 'pg_restore', ['-d', place.database, '--exit-on-error', ...restore, path]);
    const after = await run(place, 'pg_dump', dump);
    await run(place, 'psql', [
      '-X',
      '-q',
      '-c',
      'SET client_min_messages TO warning',
      '-c',
      'DROP SCHEMA dumped CASCADE',
    ]);
    return after;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const tests = playGuest('pg_dump and pg_restore', {
  connect: async (place, say) => say(await run(place, 'pg_dump', ['--schema-only'])),
  tls: async (place, say) => {
    say(await run(place, 'pg_dump', ['-t', 'item'], place.offersTls ? 'require' : 'disable'));
  },
  types: async (place, say) => say(await thereAndBack(place, ['-Fc'], ['--single-transaction'])),
  copy: async (place, say) => say(await thereAndBack(place, ['-Fd', '-j', '3'], ['-j', '3'])),
  large: async (place, say) => {
    say(await run(place, 'pg_dump', ['--data-only', '-t', 'pgbench_accounts']));
    say(await run(place, 'pg_dump', ['--inserts', '-t', 'item']));
  },
});

for (const [title, compare] of tests) test(title, compare);
