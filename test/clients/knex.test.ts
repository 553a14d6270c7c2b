/** Knex: a query builder over node-postgres, with the pool tarn. */
import { test } from 'node:test';
import knexDefault from 'knex';
import type { Place } from '../support/client-lab.ts';
import { playGuest } from '../support/client-suite.ts';
import { refused, TYPES, WRONG } from './wrong.ts';

const { knex } = knexDefault;
type Knex = ReturnType<typeof knex>;

async function connected(place: Place, work: (db: Knex) => Promise<void>): Promise<void> {
  const { host, port, user, password, database } = place;
  const db = knex({
    client: 'pg',
    connection: { host, port, user, password, database },
    pool: { min: 0, max: 5 },
  });
  try {
    await work(db);
  } finally {
    await db.destroy();
  }
}

const tests = playGuest('knex', {
  types: async (place, say) => {
    await connected(place, async (db) => {
      const { rows }: { rows: unknown } = await db.raw(TYPES.replaceAll('?', '\\?'));
      say(rows);
    });
  },
  parameters: async (place, say) => {
    await connected(place, async (db) => {
      say(await db('item').whereIn('id', [1, 5, 999]).orderBy('id'));
      const { rows }: { rows: unknown } = await db.raw('SELECT ?::int AS a, ?::text AS b', [42, "it's"]);
      say(rows);
      say(await db('item').columnInfo());
    });
  },
  transactions: async (place, say) => {
    await connected(place, async (db) => {
      await db.transaction(async (trx) => {
        await trx('note').insert([
          { id: 1, body: 'one', item_id: 1 },
          { id: 2, body: 'two', item_id: null },
        ]);
      });
      const lost = db.transaction(async (trx) => {
        say(await trx('note').where({ id: 1 }).delete().returning('*'));
        await trx.raw('SELECT 1/0');
      });
      say(await refused(lost));
      await db.transaction(
        async (trx) => {
          say(await trx('note').leftJoin('item', 'item.id', 'note.item_id').orderBy('note.id'));
        },
        { isolationLevel: 'repeatable read' },
      );
      say(await db('note').delete());
    });
  },
  savepoints: async (place, say) => {
    await connected(place, async (db) => {
      const outer = db.transaction(async (trx) => {
        for (const id of [1, 1, 2]) {
          const inner = trx.transaction(async (within) => {
            await within('note').insert({ id });
          });
          // A savepoint has a name of the client's that chance makes, so only the SQLSTATE is compared.
          say(await refused(inner));
        }
        say(await trx('note').select('id').orderBy('id'));
        throw new Error('given up');
      });
      say(await refused(outer));
    });
  },
  errors: async (place, say) => {
    await connected(place, async (db) => {
      for (const wrong of WRONG) say(await refused(db.raw(wrong)));
    });
  },
  pool: async (place, say) => {
    await connected(place, async (db) => {
      const ids = Array.from({ length: 200 }, (_, index) => index + 1);
      const found: unknown[] = await Promise.all(
        ids.map(async (id) => await db('item').where({ id }).first()),
      );
      say(found);
    });
  },
});

for (const [title, compare] of tests) test(title, compare);
