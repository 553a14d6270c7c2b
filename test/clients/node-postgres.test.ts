/** node-postgres: `pg`, alone; what builds on it has files of its own. */
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import type { Place } from '../support/client-lab.ts';
import { playGuest } from '../support/client-suite.ts';
import { refused, TYPES, WRONG } from './wrong.ts';

const settings = ({ host, port, user, password, database }: Place): pg.ClientConfig => ({
  host,
  port,
  user,
  password,
  database,
  connectionTimeoutMillis: 10_000,
});

async function connected<T>(
  place: Place,
  work: (client: pg.Client) => Promise<T>,
  more: pg.ClientConfig = {},
): Promise<T> {
  const client = new pg.Client({ ...settings(place), ...more });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const whoAmI = async (client: pg.Client): Promise<unknown> =>
  (await client.query('SELECT current_user, current_database()')).rows;

interface Canceller {
  readonly cancel: (client: pg.Client, query: pg.Query) => void;
}

const isCanceller = (client: object): client is Canceller => 'cancel' in client;

function cancels(canceller: object, client: pg.Client, query: pg.Query): void {
  if (!isCanceller(canceller)) throw new Error('this version of pg has no cancel');
  canceller.cancel(client, query);
}

const tests = playGuest('node-postgres', {
  connect: async (place, say) => {
    say(await connected(place, whoAmI));
    for (const wrong of [{ password: 'wrong' }, { user: 'nobody' }, { database: 'nowhere' }]) {
      say(await refused(connected(place, whoAmI, wrong)));
    }
    const more = { application_name: 'guest', options: '-c work_mem=5MB', statement_timeout: 1234 };
    await connected(
      place,
      async (client) => {
        for (const name of ['application_name', 'work_mem', 'statement_timeout']) {
          say((await client.query(`SHOW ${name}`)).rows);
        }
      },
      more,
    );
  },
  tls: async (place, say) => {
    say(await connected(place, whoAmI, place.offersTls ? { ssl: { rejectUnauthorized: false } } : {}));
  },
  types: async (place, say) => {
    await connected(place, async (client) => {
      const { rows, fields } = await client.query(TYPES);
      say(rows);
      say(
        fields.map(({ name, dataTypeID, dataTypeSize, format }) => [name, dataTypeID, dataTypeSize, format]),
      );
      say(await client.query({ text: 'SELECT 1 AS a, 2 AS a', rowMode: 'array' }));
    });
  },
  parameters: async (place, say) => {
    await connected(place, async (client) => {
      const { rows } = await client.query(
        'SELECT $1::int AS a, $2::text AS b, $3::text AS c, $4::int[] AS d',
        [42, "it's", null, [1, 2]],
      );
      say(rows);
      say(
        (await client.query('SELECT id, name FROM item WHERE id = ANY($1) ORDER BY id', [[1, 5, 999]])).rows,
      );
      say(await refused(client.query('SELECT $1::int', ['no number'])));
      say(await refused(client.query('SELECT $1::int', [1, 2])));
    });
  },
  transactions: async (place, say) => {
    await connected(place, async (client) => {
      await client.query('BEGIN');
      await client.query('INSERT INTO note (id, body) VALUES ($1, $2)', [1, 'kept']);
      await client.query('COMMIT');
      await client.query('BEGIN');
      await client.query('INSERT INTO note (id, body) VALUES ($1, $2)', [2, 'lost']);
      say((await client.query('SELECT id, body FROM note ORDER BY id')).rows);
      await client.query('ROLLBACK');
      say((await client.query('SELECT id, body FROM note ORDER BY id FOR UPDATE')).rows);
      await client.query('BEGIN');
      say(await refused(client.query('SELECT 1/0')), await refused(client.query('SELECT 1')));
      say((await client.query('COMMIT')).command);
      await client.query('BEGIN; CREATE TEMP TABLE mine (a int) ON COMMIT DROP');
      say((await client.query('INSERT INTO mine SELECT generate_series(1, 10) RETURNING a')).rowCount);
      await client.query('COMMIT');
      say((await client.query('DELETE FROM note')).rowCount);
    });
  },
  savepoints: async (place, say) => {
    await connected(place, async (client) => {
      await client.query('BEGIN');
      await client.query('INSERT INTO note (id) VALUES (1)');
      await client.query('SAVEPOINT here');
      say(await refused(client.query('INSERT INTO note (id) VALUES (1)')));
      await client.query('ROLLBACK TO here');
      await client.query('INSERT INTO note (id) VALUES (2)');
      say((await client.query('SELECT id FROM note ORDER BY id')).rows);
      await client.query('ROLLBACK');
    });
  },
  prepared: async (place, say) => {
    await connected(place, async (client) => {
      const text = 'SELECT name FROM item WHERE id = $1';
      const ids = Array.from({ length: 200 }, (_, index) => index + 1);
      const found = await Promise.all(ids.map((id) => client.query({ name: 'by-id', text, values: [id] })));
      say(found.flatMap(({ rows }) => rows));
      say(await refused(client.query({ name: 'wrong', text: 'SELECT * FROM no_such_table' })));
      await client.query('CREATE TEMP TABLE changing AS SELECT 1 AS a');
      say((await client.query({ name: 'changing', text: 'SELECT * FROM changing' })).rows);
      await client.query("ALTER TABLE changing ADD b text DEFAULT 'new'");
      say(await refused(client.query({ name: 'changing', text: 'SELECT * FROM changing' })));
      say((await client.query({ name: 'changed', text: 'SELECT * FROM changing' })).rows);
    });
  },
  errors: async (place, say) => {
    await connected(place, async (client) => {
      client.on('notice', ({ severity, message }) => say(severity, message));
      for (const text of WRONG) say(await refused(client.query(text)), await refused(client.query(text, [])));
      await client.query("DO $$ BEGIN RAISE NOTICE 'seen'; RAISE WARNING 'warned'; END $$");
      say((await client.query("SELECT 'usable' AS it")).rows, (await client.query('')).rows);
      const several: unknown = await client.query('SELECT 1 AS a; SELECT 2 AS b, 3 AS c');
      say(Array.isArray(several) ? several.map((each: pg.QueryResult) => each.rows as unknown) : several);
    });
  },
  large: async (place, say) => {
    await connected(place, async (client) => {
      const big = 'x'.repeat(4 * 1024 * 1024);
      say((await client.query('SELECT length($1::text), md5($1::text)', [big])).rows);
      const long = await client.query<{ it: string }>("SELECT repeat('y', 8 * 1024 * 1024) AS it");
      say(long.rows[0]?.it.length);
      const many = await client.query<{ g: number }>('SELECT g FROM generate_series(1, 100000) g');
      say(many.rows.reduce((sum, { g }) => sum + g, 0));
    });
  },
  listen: async (place, say) => {
    await connected(place, async (client) => {
      const heard: unknown[] = [];
      const both = new Promise<void>((resolve) => {
        client.on('notification', ({ channel, payload }) => {
          heard.push([channel, payload]);
          if (heard.length === 3) resolve();
        });
      });
      await client.query('LISTEN news');
      await client.query("NOTIFY news, 'from itself'");
      await connected(place, async (other) => {
        await other.query("NOTIFY news, 'one'");
        await other.query("SELECT pg_notify('news', 'two')");
      });
      await both;
      say(heard);
    });
  },
  cancel: async (place, say) => {
    await connected(place, async (client) => {
      const sleep = new pg.Query('SELECT pg_sleep(30)');
      const ended = new Promise<Error>((resolve) => void sleep.once('error', resolve));
      client.query(sleep);
      await setTimeout(300);
      // Its own request, on a connection of its own; not in the types of the driver.
      const canceller = new pg.Client(settings(place));
      cancels(canceller, client, sleep);
      say(await refused(ended.then(async (cause) => await Promise.reject(cause))));
      say((await client.query("SELECT 'usable' AS it")).rows);
    });
  },
  pool: async (place, say) => {
    const pool = new pg.Pool({ ...settings(place), max: 8 });
    const ids = Array.from({ length: 500 }, (_, index) => index + 1);
    const names = await Promise.all(
      ids.map((id) => pool.query('SELECT $1::int AS id, name FROM item WHERE id = $1', [id])),
    );
    say(names.flatMap(({ rows }) => rows));
    await pool.end();
  },
});

for (const [title, compare] of tests) test(title, compare);
