/** Kysely: a query builder over node-postgres. */
import { test } from 'node:test';
import { type Generated, Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import type { Place } from '../support/client-lab.ts';
import { playGuest } from '../support/client-suite.ts';
import { refused, TYPES, WRONG } from './wrong.ts';

interface Tables {
  readonly item: { readonly id: number; readonly name: string; readonly price: Generated<string> };
  readonly note: {
    readonly id: number;
    readonly body: string | null;
    readonly item_id: Generated<number | null>;
  };
}

async function connected(place: Place, work: (db: Kysely<Tables>) => Promise<void>): Promise<void> {
  const { host, port, user, password, database } = place;
  const pool = new pg.Pool({ host, port, user, password, database, max: 5 });
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  try {
    await work(db);
  } finally {
    await db.destroy();
  }
}

const tests = playGuest('kysely', {
  types: async (place, say) => {
    await connected(place, async (db) => say((await sql.raw(TYPES).execute(db)).rows));
  },
  parameters: async (place, say) => {
    await connected(place, async (db) => {
      const items = db.selectFrom('item').select(['id', 'name', 'price']);
      say(await items.where('id', 'in', [1, 5, 999]).orderBy('id').execute());
      say((await sql`SELECT ${42}::int AS a, ${"it's"}::text AS b, ${null}::text AS c`.execute(db)).rows);
    });
  },
  transactions: async (place, say) => {
    await connected(place, async (db) => {
      await db.transaction().execute(async (trx) => {
        await trx
          .insertInto('note')
          .values([
            { id: 1, body: 'one', item_id: 1 },
            { id: 2, body: null },
          ])
          .execute();
      });
      const lost = db.transaction().execute(async (trx) => {
        say(await trx.deleteFrom('note').where('id', '=', 1).returningAll().execute());
        await sql`SELECT 1/0`.execute(trx);
      });
      say(await refused(lost));
      await db
        .transaction()
        .setIsolationLevel('serializable')
        .execute(async (trx) => {
          const joined = trx.selectFrom('note').leftJoin('item', 'item.id', 'note.item_id');
          say(await joined.select(['note.id', 'body', 'name']).orderBy('note.id').execute());
        });
      say(await db.deleteFrom('note').executeTakeFirst());
    });
  },
  errors: async (place, say) => {
    await connected(place, async (db) => {
      for (const text of WRONG) say(await refused(sql.raw(text).execute(db)));
    });
  },
  pool: async (place, say) => {
    await connected(place, async (db) => {
      const ids = Array.from({ length: 200 }, (_, index) => index + 1);
      say(
        await Promise.all(
          ids.map(
            async (id) => await db.selectFrom('item').select('name').where('id', '=', id).executeTakeFirst(),
          ),
        ),
      );
    });
  },
});

for (const [title, compare] of tests) test(title, compare);
