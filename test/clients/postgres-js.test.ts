/** postgres.js: a protocol implementation of its own; statements are prepared and sent ahead by default. */
import { test } from 'node:test';
import { EventEmitter, once } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import postgres from 'postgres';
import type { Place } from '../support/client-lab.ts';
import { playGuest } from '../support/client-suite.ts';
import { refused, TYPES, WRONG } from './wrong.ts';

type Options = postgres.Options<Record<string, postgres.PostgresType>>;

async function connected<T>(
  { host, port, user, password, database }: Place,
  work: (sql: postgres.Sql) => Promise<T>,
  more: Options = {},
): Promise<T> {
  const sql = postgres({
    host,
    port,
    username: user,
    password,
    database,
    max: 1,
    connect_timeout: 10,
    onnotice: () => undefined,
    ...more,
  });
  try {
    return await work(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

const whoAmI = async (sql: postgres.Sql): Promise<unknown> => [
  ...(await sql`SELECT current_user, current_database()`),
];
const workMem = async (sql: postgres.Sql): Promise<unknown> => [...(await sql`SHOW work_mem`)];
const allNames = async (sql: postgres.Sql): Promise<unknown> =>
  await Promise.all(ids.map(async (id) => [...(await sql`SELECT name FROM item WHERE id = ${id}`)]));
const ids = Array.from({ length: 200 }, (_, index) => index + 1);

const tests = playGuest('postgres.js', {
  connect: async (place, say) => {
    say(await connected(place, whoAmI));
    for (const wrong of [{ password: 'wrong' }, { username: 'nobody' }, { database: 'nowhere' }]) {
      say(await refused(connected(place, whoAmI, wrong)));
    }
    say(await connected(place, workMem, { connection: { work_mem: 5120 } }));
  },
  tls: async (place, say) => {
    say(await connected(place, whoAmI, place.offersTls ? { ssl: 'require' } : {}));
  },
  types: async (place, say) => {
    await connected(place, async (sql) => {
      const rows = await sql.unsafe(TYPES);
      say([...rows]);
      say(rows.columns.map(({ name, type }) => [name, type]));
    });
  },
  parameters: async (place, say) => {
    await connected(place, async (sql) => {
      say([
        ...(await sql`SELECT ${42}::int AS a, ${"it's"} AS b, ${null}::text AS c, ${[1, 2]}::int[] AS d`),
      ]);
      say([...(await sql`SELECT id, name FROM item WHERE id IN ${sql([1, 5, 999])} ORDER BY id`)]);
      say(await refused(sql`SELECT ${'no number'}::int`));
    });
  },
  transactions: async (place, say) => {
    await connected(place, async (sql) => {
      await sql.begin(async (inside) => await inside`INSERT INTO note ${inside([{ id: 1, body: 'kept' }])}`);
      const lost = sql.begin(async (inside) => {
        await inside`INSERT INTO note ${inside([{ id: 2, body: 'lost' }])}`;
        say([...(await inside`SELECT id, body FROM note ORDER BY id`)]);
        await inside`SELECT 1/0`;
      });
      say(await refused(lost));
      say([
        ...(await sql.begin(
          'isolation level serializable',
          async (inside) => await inside`SELECT id FROM note`,
        )),
      ]);
      say(await refused(sql.begin('read only', async (inside) => await inside`DELETE FROM note`)));
      say((await sql`DELETE FROM note`).count);
    });
  },
  savepoints: async (place, say) => {
    await connected(place, async (sql) => {
      const outer = sql.begin(async (inside) => {
        for (const id of [1, 1, 2]) {
          say(
            await refused(
              inside.savepoint(async (within) => await within`INSERT INTO note ${within([{ id }])}`),
            ),
          );
        }
        say([...(await inside`SELECT id FROM note ORDER BY id`)]);
        throw new Error('given up');
      });
      say(await refused(outer));
    });
  },
  prepared: async (place, say) => {
    await connected(place, async (sql) => {
      for (const id of ids) say([...(await sql`SELECT name FROM item WHERE id = ${id}`)]);
      const { types, columns } = await sql`SELECT id, name FROM item WHERE id = ${1}`.describe();
      say(types, columns);
      await sql`CREATE TEMP TABLE changing AS SELECT 1 AS a`;
      say([...(await sql`SELECT * FROM changing`)]);
      await sql`ALTER TABLE changing ADD b text DEFAULT 'new'`;
      say(await refused(sql`SELECT * FROM changing`.then((rows) => [...rows])));
    });
    await connected(place, async (sql) => say([...(await sql`SELECT ${1}::int AS unnamed`)]), {
      prepare: false,
    });
  },
  errors: async (place, say) => {
    await connected(
      place,
      async (sql) => {
        for (const text of WRONG) say(await refused(sql.unsafe(text)));
        for (const text of WRONG) say(await refused(sql.unsafe(text, [], { prepare: true })));
        await sql`DO $$ BEGIN RAISE NOTICE 'seen'; RAISE WARNING 'warned'; END $$`;
        say([...(await sql`SELECT 'usable' AS it`)]);
      },
      { onnotice: ({ severity, message }) => say(severity, message) },
    );
  },
  large: async (place, say) => {
    await connected(place, async (sql) => {
      const big = 'x'.repeat(4 * 1024 * 1024);
      say([...(await sql`SELECT length(${big}::text), md5(${big}::text)`)]);
      const [long] = await sql<{ it: string }[]>`SELECT repeat('y', 8 * 1024 * 1024) AS it`;
      say(long?.it.length);
      const many = await sql<{ g: number }[]>`SELECT g FROM generate_series(1, 100000) g`;
      say(many.reduce((sum, { g }) => sum + g, 0));
    });
  },
  copy: async (place, say) => {
    await connected(place, async (sql) => {
      const rows = Array.from({ length: 5000 }, (_, index) => `${index}\tn${index}\n`);
      const outer = sql.begin(async (inside) => {
        await pipeline(Readable.from(rows), await inside`COPY note (id, body) FROM STDIN`.writable());
        say([...(await inside`SELECT count(*), sum(id) FROM note`)]);
        throw new Error('given up');
      });
      say(await refused(outer));
      let text = '';
      const sink = new Writable({
        write: (chunk: Buffer, _encoding, done) => {
          text += chunk.toString();
          done();
        },
      });
      await pipeline(await sql`COPY (SELECT id, name FROM item ORDER BY id) TO STDOUT`.readable(), sink);
      say(text);
      say([...(await sql`SELECT 'usable' AS it`)]);
    });
  },
  listen: async (place, say) => {
    await connected(place, async (sql) => {
      const heard: string[] = [];
      const both = new EventEmitter();
      const isThere = once(both, 'there', { signal: AbortSignal.timeout(20_000) });
      const listening = await sql.listen('news', (payload) => {
        if (heard.push(payload) === 2) both.emit('there');
      });
      await sql.notify('news', 'one');
      await sql.notify('news', 'two');
      await isThere;
      await listening.unlisten();
      say(heard);
    });
  },
  cancel: async (place, say) => {
    await connected(place, async (sql) => {
      await sql`SELECT 1`;
      const long = sql`SELECT pg_sleep(30)`;
      const ended = refused(long);
      const again = setInterval(() => long.cancel(), 300);
      say(await ended);
      clearInterval(again);
      say([...(await sql`SELECT 'usable' AS it`)]);
    });
  },
  cursors: async (place, say) => {
    await connected(place, async (sql) => {
      for await (const rows of sql`SELECT id FROM item ORDER BY id`.cursor(300)) say(rows.length);
      await sql`SELECT id FROM item ORDER BY id`.cursor(10, (rows) => {
        say(rows.length);
        return sql.CLOSE;
      });
      say([...(await sql`SELECT 'usable' AS it`)]);
    });
  },
  pool: async (place, say) => {
    say(await connected(place, allNames, { max: 8 }));
  },
  pipeline: async (place, say) => {
    await connected(place, async (sql) => {
      const asked = ids.map(async (id) =>
        id % 50 === 0 ? await refused(sql`SELECT 1/${0}::int`) : [...(await sql`SELECT ${id}::int AS n`)],
      );
      say(await Promise.all(asked));
    });
  },
});

for (const [title, compare] of tests) test(title, compare);
