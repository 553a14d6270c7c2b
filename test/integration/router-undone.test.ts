/**
 * What a session has set or made where something failed, was skipped behind an error, or was bound and not executed: its
 * client has what it would have alone, and no other client of the server connection has any of it.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Bind, Close, Execute, FRONTEND, Parse, Query, Sync } from '../../src/wire/index.ts';
import { aRouter, aStage } from '../support/router.ts';
import { WireClient, type WireAddress } from '../support/wire-client.ts';

type Step = readonly Buffer[];

const bound = (portal: string, sql: string): Step => [
  Parse({ name: `s${portal}`, sql, parameterTypes: [] }),
  Bind({ portal, statement: `s${portal}` }),
];
const run = (sql: string): Step => [
  Parse({ name: '', sql, parameterTypes: [] }),
  Bind({ portal: '', statement: '' }),
  Execute('', 0),
];
const batch = (...parts: readonly Step[]): Step => [...parts.flat(), Sync()];
/** A message of COPY. */
const copied = (tag: number, data = ''): Buffer => {
  const head = Buffer.from([tag, 0, 0, 0, 4 + data.length]);
  return Buffer.concat([head, Buffer.from(data)]);
};
const later = (portal: string): Step => [Execute(portal, 0), Sync()];
const said = (...texts: readonly string[]): readonly Step[] => texts.map((text) => [Query(text)]);

const AS_APP = { user: 'app', password: 'app', database: 'app' } as const;

const SET = "SET app.x = 't'";
const FAILS = 'SELECT 1 / 0';
const BACK: readonly Step[] = said('ROLLBACK TO a', 'COMMIT');
const LATER_AGAIN: readonly Step[] = [...said('ROLLBACK TO a'), later('p'), ...said('COMMIT')];

/** What is in `p` is closed, or bound anew, where that is skipped; and then it is run. */
const skippedClose = (sql: string): readonly Step[] => [
  ...said('BEGIN'),
  batch(bound('p', sql)),
  ...said('SAVEPOINT a'),
  batch(run(FAILS), [Close('portal', 'p')]),
  ...LATER_AGAIN,
];

/** What would end the transaction comes behind an error. */
const skippedEnd = (end: string): readonly Step[] => [
  ...said('BEGIN', SET, 'SAVEPOINT a'),
  batch(run(FAILS), run(end)),
  ...BACK,
];

/** It is bound and not executed; the transaction ends otherwise. */
const boundEnd = (end: string, beside: Step, reallyEnds: string): readonly Step[] => [
  ...said('BEGIN', SET),
  batch(bound('e', end), beside),
  ...said(reallyEnds),
];

const CONVERSATIONS: Readonly<Record<string, readonly Step[]>> = {
  'a COMMIT that was skipped': skippedEnd('COMMIT'),
  'a ROLLBACK that was skipped': skippedEnd('ROLLBACK'),
  'a ROLLBACK that was bound': boundEnd('ROLLBACK', run('SELECT 1'), 'COMMIT'),
  'a COMMIT that was bound': boundEnd('COMMIT', run('SELECT 1'), 'ROLLBACK'),
  'a COMMIT that was bound, and one of a chain behind a ROLLBACK': [
    ...said('BEGIN', SET),
    batch(run('ROLLBACK AND CHAIN'), run('COMMIT')),
  ],
  'a text that fails behind a savepoint': [...said('BEGIN', `${SET}; SAVEPOINT a; ${FAILS}`), ...BACK],
  'a batch that fails behind a savepoint': [
    ...said('BEGIN'),
    batch(run(SET), run('SAVEPOINT a'), run(FAILS)),
    ...BACK,
  ],
  'a text that goes back to a savepoint': [
    ...said('BEGIN', 'SAVEPOINT a', FAILS, `ROLLBACK TO a; ${SET}`, 'COMMIT'),
  ],
  'a batch that goes back to a savepoint': [
    ...said('BEGIN', 'SAVEPOINT a', FAILS),
    batch(run('ROLLBACK TO a'), run(SET)),
    ...said('COMMIT'),
  ],
  'a batch that goes back and commits': [
    ...said('BEGIN', SET, 'SAVEPOINT a', FAILS),
    batch(run('ROLLBACK TO a'), run('COMMIT')),
  ],
  'a batch that fails behind its COMMIT': [...said('BEGIN', SET), batch(run('COMMIT'), run(FAILS))],
  'a transaction that is rolled back by its COMMIT': said('BEGIN', SET, FAILS, 'COMMIT'),
  'a setting in a portal whose Close was skipped': skippedClose(SET),
  'LISTEN in a portal whose Close was skipped': skippedClose('LISTEN z'),
  'a temporary table in a portal whose Close was skipped': skippedClose('CREATE TEMP TABLE x (a int)'),
  'a cursor in a portal whose Close was skipped': skippedClose('DECLARE c CURSOR WITH HOLD FOR SELECT 1'),
  'a setting in a portal that could not be bound anew': [
    ...said('BEGIN'),
    batch(bound('p', SET)),
    ...said('SAVEPOINT a'),
    batch([Parse({ name: 'o', sql: 'SELECT 2', parameterTypes: [] }), Bind({ portal: 'p', statement: 'o' })]),
    ...LATER_AGAIN,
  ],
  'a ROLLBACK that was bound, beside a query': boundEnd('ROLLBACK', [Query('SELECT 1')], 'COMMIT'),
  'a COMMIT that was bound, beside a query': boundEnd('COMMIT', [Query('SELECT 1')], 'ROLLBACK'),
  'a COPY in a portal whose Close was skipped': [
    ...said('CREATE TEMP TABLE x (a int)', 'BEGIN'),
    batch(bound('p', 'COPY x FROM STDIN')),
    ...said('SAVEPOINT a'),
    batch(run(FAILS), [Close('portal', 'p')]),
    ...said('ROLLBACK TO a'),
    [Execute('p', 0), copied(FRONTEND.CopyData, '1\n'), copied(FRONTEND.CopyDone), Sync()],
    ...said('COMMIT', 'TABLE x'),
  ],
  'EXECUTE in one batch and run in the next': [
    batch([Parse({ name: 'q', sql: "SELECT set_config('app.x', 't', false)", parameterTypes: [] })]),
    ...said('BEGIN'),
    batch(bound('p', 'EXECUTE q')),
    later('p'),
    ...said('COMMIT'),
  ],
  'EXECUTE in one batch, run in a later one behind another statement of that name': [
    ...said("PREPARE k AS SELECT 'a'::text", 'BEGIN'),
    batch(bound('p', 'EXECUTE k')),
    ...said('DEALLOCATE k', "PREPARE k AS SELECT set_config('app.x', 't', false)"),
    later('p'),
    ...said('COMMIT'),
  ],
  'a temporary table behind DISCARD ALL': [batch(run('DISCARD ALL'), run('CREATE TEMP TABLE x (a int)'))],
  'LISTEN behind DISCARD ALL': [batch(run('DISCARD ALL'), run('LISTEN z'))],
  'DEALLOCATE in one batch and run in the next': [
    batch([Parse({ name: 'q', sql: 'SELECT 7', parameterTypes: [] })]),
    ...said('BEGIN'),
    batch(bound('p', 'DEALLOCATE q')),
    later('p'),
    ...said('COMMIT'),
    batch([Bind({ portal: '', statement: 'q' })]),
  ],
};

/** What the session has that is nobody else's. */
const HAS = `SELECT coalesce(nullif(current_setting('app.x', true), ''), '-'), (SELECT count(*) FROM pg_listening_channels()),
  (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()), (SELECT count(*) FROM pg_cursors WHERE is_holdable)`;

test('what is left where something failed or was skipped is its client’s alone', {
  timeout: 120_000,
}, async (suite) => {
  const stage = await aStage(suite);
  const router = await aRouter(suite, stage, ['default_pool_size: 1', 'query_wait_timeout: 300ms']);
  const direct = stage.nodes.n1.address;
  for (const [name, steps] of Object.entries(CONVERSATIONS)) {
    await suite.test(name, async (t) => {
      assert.deepEqual(await played(t, router, steps), await played(t, direct, steps));
    });
  }

  for (const sql of [
    'LISTEN z',
    'DECLARE c CURSOR WITH HOLD FOR SELECT 1',
    "LOAD '$libdir/plpgsql'",
    'SELECT setseed(0.1)',
  ])
    await suite.test(`${sql}, bound beside what is executed, keeps the connection from nobody`, async (t) => {
      const client = await guest(t, router);
      await told(client, batch(bound('p', sql), run('SELECT 1')));
      assert.match(await hasOf(await guest(t, router)), /^DataRow/);
    });

  await suite.test('the unnamed statement outlives a query that was skipped, and no other', async (t) => {
    const again = batch([Bind({ portal: '', statement: '' }), Execute('', 0)]);
    for (const [before, answer] of [
      ['nobody', 'DataRow "7"'],
      ['', 'ErrorResponse'],
    ] as const) {
      const client = await guest(t, router);
      await told(client, batch([Parse({ name: '', sql: 'SELECT 7', parameterTypes: [] })]));
      await told(client, [Bind({ portal: '', statement: before }), Query('SELECT 5'), Sync()]);
      await told(await guest(t, router), batch(run('SELECT 8')));
      const lines = await told(client, again);
      assert.ok(
        lines.some((line) => line.startsWith(answer)),
        `behind a Bind of "${before}": ${lines.join('; ')}`,
      );
    }
  });
});

/** What it is answered. */
async function told(client: WireClient, step: Step): Promise<readonly string[]> {
  const from = client.lines.length;
  client.send(step);
  assert.ok(await client.answered(), 'no answer');
  return client.lines.slice(from);
}

/** What the client was told, what it has at the end, and what is another's while it is there and behind it: nothing. */
async function played(t: TestContext, at: WireAddress, steps: readonly Step[]): Promise<unknown> {
  const client = await guest(t, at);
  for (const step of steps) {
    client.send(step);
    assert.ok(await client.answered(), 'no answer');
  }
  const heard = client.lines.filter((line) => /^(ErrorResponse|ReadyForQuery|CommandComplete)/.test(line));
  const beside = await hasOf(await guest(t, at));
  const own = await hasOf(client);
  await client.end();
  const behind = await hasOf(await guest(t, at));
  const nothing = await hasOf(await guest(t, at));
  // It waits for the connection of one that is pinned.
  assert.ok(beside === nothing || beside.startsWith('ErrorResponse'), `another has ${beside}`);
  assert.equal(behind, nothing);
  return { heard, own };
}

async function guest(t: TestContext, { host, port }: WireAddress): Promise<WireClient> {
  const client = await WireClient.connect({ host, port, ...AS_APP });
  t.after(async () => await client.end());
  return client;
}

async function hasOf(client: WireClient): Promise<string> {
  const lines = await told(client, [Query(HAS)]);
  return lines.find((line) => /^(DataRow|ErrorResponse)/.test(line)) ?? 'nothing';
}
