/** psql: what it prints, to the letter, on both of its outputs. */
import { test } from 'node:test';
import type { Place } from '../support/client-lab.ts';
import { type Guest, playGuest } from '../support/client-suite.ts';
import { type Finished, runProgram } from '../support/program.ts';
import { TYPES, WRONG } from './wrong.ts';

interface Given {
  readonly script: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

async function psql(place: Place, { script, args = ['-a'], env = {} }: Given): Promise<Finished> {
  const { host, port, user, password, database } = place;
  const settings = {
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGPASSWORD: password,
    PGDATABASE: database,
    PGSSLMODE: 'disable',
  };
  return await runProgram('psql', ['-X', ...args], {
    env: { ...settings, ...env },
    timeoutMs: 60_000,
    input: script,
  });
}

const shown = ({ code, stdout, stderr }: Finished): string[] =>
  // Where it was connected stands before what the server said; a backend's number differs from run to run.
  [`exit ${code}`, ...stdout.split('\n'), ...stderr.replaceAll(/^psql: .*(?=FATAL)/gm, '').split('\n')].map(
    (line) => line.replaceAll(/PID \d+/g, 'PID'),
  );

/** A scenario that is a script: read from standard input, then statement by statement as `-c`. */
const script =
  (...scripts: readonly string[]): Guest<'psql'>['types'] =>
  async (place, say) => {
    for (const each of scripts) say(shown(await psql(place, { script: each })).join('\n'));
  };

/** The same, each in one simple query: alone and inside a transaction of psql's. */
const statements =
  (...texts: readonly string[]): Guest<'psql'>['types'] =>
  async (place, say) => {
    for (const text of texts) {
      for (const args of [
        ['-c', text],
        ['-1', '-c', text],
      ]) {
        say(shown(await psql(place, { script: '', args })).join('\n'));
      }
    }
  };

const tests = playGuest('psql', {
  connect: async (place, say) => {
    say(shown(await psql(place, { script: 'SELECT current_user, current_database();' })).join('\n'));
    const wrong = [{ PGPASSWORD: 'wrong' }, { PGUSER: 'nobody' }, { PGDATABASE: 'nowhere' }];
    for (const env of wrong) say(shown(await psql(place, { script: 'SELECT 1', env })).join('\n'));
    const env = {
      PGOPTIONS: '-c work_mem=5MB -c statement_timeout=7s',
      PGAPPNAME: 'guest',
      PGTZ: 'Asia/Tokyo',
    };
    const shows = ['work_mem', 'statement_timeout', 'application_name', 'TimeZone', 'search_path'];
    const all = { script: shows.map((name) => `SHOW ${name};`).join('\n'), env };
    say(shown(await psql(place, all)).join('\n'));
  },
  tls: async (place, say) => {
    const env = { PGSSLMODE: place.offersTls ? 'require' : 'disable' };
    say(shown(await psql(place, { script: 'SELECT current_user;', env })).join('\n'));
  },
  types: statements(
    TYPES,
    "SELECT 1 AS one, NULL AS nothing, repeat('x', 20000) AS long",
    'SELECT',
    '',
    'SELECT 1; SELECT 2; SELECT 3',
    'SELECT FROM generate_series(1, 3)',
    '\\d item',
    '\\d+ note',
    '\\dt',
    '\\df pg_sleep',
  ),
  parameters: script(
    "\\set id 7\n\\set name '''item 7'''\nSELECT name FROM item WHERE id = :id;\nSELECT id FROM item WHERE name = :name;\nSELECT 'a' AS x, 5 AS y \\gset\n\\echo :x :y\nSELECT :y + 1;",
  ),
  transactions: script(
    "BEGIN;\nINSERT INTO note (id, body) VALUES (1, 'kept');\nCOMMIT;\nBEGIN;\nINSERT INTO note (id) VALUES (2);\nSELECT id, body FROM note ORDER BY id;\nROLLBACK;\nBEGIN;\nSELECT id FROM note;\nCOMMIT AND CHAIN;\nSELECT 1/0;\nSELECT 1;\nCOMMIT;\nROLLBACK;\nDELETE FROM note;",
    'BEGIN TRANSACTION READ ONLY;\nSELECT count(*) FROM item;\nDELETE FROM note;\nROLLBACK;\nBEGIN ISOLATION LEVEL SERIALIZABLE;\nSHOW transaction_isolation;\nEND;',
    "SET TimeZone TO 'Europe/Bucharest';\nSHOW TimeZone;\nBEGIN;\nSET LOCAL TimeZone TO 'Asia/Tokyo';\nSHOW TimeZone;\nROLLBACK;\nSHOW TimeZone;\nRESET ALL;\nSHOW search_path;\nSET search_path TO pg_catalog;\nSHOW search_path;\nSELECT set_config('work_mem', '5MB', false);\nSHOW work_mem;\nDISCARD ALL;\nSHOW work_mem;",
    'CREATE TEMP TABLE mine (a int);\nINSERT INTO mine VALUES (7);\nSELECT a FROM mine;\nDISCARD TEMP;\nSELECT a FROM mine;',
    'SELECT pg_advisory_lock(7);\nSELECT pg_advisory_unlock(7), pg_advisory_unlock(7);',
  ),
  savepoints: script(
    '\\set ON_ERROR_ROLLBACK on\nBEGIN;\nINSERT INTO note (id) VALUES (1);\nINSERT INTO note (id) VALUES (1);\nSAVEPOINT here;\nINSERT INTO note (id) VALUES (2);\nROLLBACK TO here;\nRELEASE here;\nSELECT id FROM note ORDER BY id;\nROLLBACK;',
  ),
  prepared: script(
    `PREPARE by_id (int) AS SELECT name FROM item WHERE id = $1;\n${Array.from({ length: 30 }, (_, id) => `EXECUTE by_id (${id + 1});`).join('\n')}\nPREPARE by_id AS SELECT 1;\nSELECT name, statement, parameter_types FROM pg_prepared_statements;\nDEALLOCATE by_id;\nEXECUTE by_id (1);\nPREPARE other AS SELECT 1;\nDEALLOCATE ALL;\nEXECUTE other;`,
  ),
  copy: script(
    'BEGIN;\nCOPY note (id, body) FROM STDIN;\n1\tone\n2\ttwo\n\\.\nSELECT * FROM note ORDER BY id;\nCOPY (SELECT * FROM note ORDER BY id) TO STDOUT;\n\\copy (SELECT * FROM note ORDER BY id) to stdout csv header\nROLLBACK;\nCOPY (SELECT id, name FROM item ORDER BY id) TO STDOUT;\nCOPY note (id) FROM STDIN;\nx\n\\.\nCOPY no_such_table FROM STDIN;\nSELECT 1;',
  ),
  listen: script(
    "LISTEN news;\nNOTIFY news, 'hello';\nSELECT 1;\nUNLISTEN *;\nNOTIFY news, 'nobody';\nSELECT 2;\nBEGIN;\nLISTEN news;\nNOTIFY news, 'late';\nSELECT 3;\nCOMMIT;\nSELECT 4;",
  ),
  cancel: async (place, say) => {
    say(
      shown(
        await psql(place, {
          script: "SET statement_timeout TO '200ms';\nSELECT pg_sleep(30);\nSELECT 'usable';",
        }),
      ).join('\n'),
    );
    // As with Ctrl-C. SIGINT comes to psql half a second after it started its shell, which is when the statement begins.
    const interrupted = "\\! (sleep 0.5; kill -INT $PPID) &\nSELECT pg_sleep(30);\nSELECT 'usable';";
    say(shown(await psql(place, { script: interrupted })).join('\n'));
  },
  cursors: script(
    "BEGIN;\nDECLARE portions SCROLL CURSOR FOR SELECT id FROM item ORDER BY id;\nFETCH 3 FROM portions;\nMOVE 500 FROM portions;\nFETCH PRIOR FROM portions;\nDECLARE held CURSOR WITH HOLD FOR SELECT name FROM item ORDER BY id;\nCOMMIT;\nFETCH 2 FROM held;\nFETCH 2 FROM portions;\nCLOSE held;\n\\set FETCH_COUNT 100\nSELECT id FROM item ORDER BY id;\nSELECT 1/(500 - id) FROM item ORDER BY id;\nSELECT 'usable';",
  ),
  errors: statements(
    ...WRONG,
    "DO $$ BEGIN RAISE NOTICE 'seen'; RAISE WARNING 'warned'; END $$",
    'SELECT 1; SELECT 1/0; SELECT 2',
    '\\set VERBOSITY verbose\nSELECT 1',
  ),
  large: script(
    "SELECT g, repeat('z', 100) FROM generate_series(1, 20000) g;\nSELECT length(repeat('y', 8 * 1024 * 1024));\n\\t\n\\a\nSELECT repeat('y', 4 * 1024 * 1024);",
  ),
});

for (const [title, compare] of tests) test(title, compare);
