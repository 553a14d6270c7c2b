/** Drizzle: an ORM over node-postgres, with prepared statements of its own naming. */
import { test } from 'node:test';
import { asc, eq, inArray, sql } from 'drizzle-orm';
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import { integer, numeric, pgTable, text } from 'drizzle-orm/pg-core';
import pg from 'pg';
import type { Place } from '../support/client-lab.ts';
import { playGuest } from '../support/client-suite.ts';
import { refused, TYPES, WRONG } from './wrong.ts';

const item = pgTable('item', {
  id: integer().primaryKey(),
  name: text().notNull(),
  price: numeric({ precision: 10, scale: 2 }).notNull(),
});
const note = pgTable('note', { id: integer().primaryKey(), body: text(), itemId: integer('item_id') });

async function connected(place: Place, work: (db: NodePgDatabase) => Promise<void>): Promise<void> {
  const { host, port, user, password, database } = place;
  const pool = new pg.Pool({ host, port, user, password, database, max: 5 });
  try {
    await work(drizzle(pool));
  } finally {
    await pool.end();
  }
}

const tests = playGuest('drizzle', {
  types: async (place, say) => {
    await connected(place, async (db) => say((await db.execute(sql.raw(TYPES))).rows));
  },
  parameters: async (place, say) => {
    await connected(place, async (db) => {
      say(
        await db
          .select()
          .from(item)
          .where(inArray(item.id, [1, 5, 999]))
          .orderBy(asc(item.id)),
      );
      say((await db.execute(sql`SELECT ${42}::int AS a, ${"it's"}::text AS b, ${null}::text AS c`)).rows);
    });
  },
  transactions: async (place, say) => {
    await connected(place, async (db) => {
      await db.transaction(async (tx) => {
        await tx.insert(note).values([
          { id: 1, body: 'one', itemId: 1 },
          { id: 2, body: null },
        ]);
      });
      const lost = db.transaction(async (tx) => {
        say(await tx.delete(note).where(eq(note.id, 1)).returning());
        tx.rollback();
      });
      say(await refused(lost));
      await db.transaction(
        async (tx) => {
          say(
            await tx
              .select({ id: note.id, name: item.name })
              .from(note)
              .leftJoin(item, eq(item.id, note.itemId))
              .orderBy(asc(note.id)),
          );
        },
        { isolationLevel: 'serializable' },
      );
      say((await db.delete(note)).rowCount);
    });
  },
  savepoints: async (place, say) => {
    await connected(place, async (db) => {
      const outer = db.transaction(async (tx) => {
        for (const id of [1, 1, 2]) {
          say(await refused(tx.transaction(async (inner) => await inner.insert(note).values({ id }))));
        }
        say(await tx.select({ id: note.id }).from(note).orderBy(asc(note.id)));
        tx.rollback();
      });
      say(await refused(outer));
    });
  },
  prepared: async (place, say) => {
    await connected(place, async (db) => {
      const byId = db
        .select({ name: item.name })
        .from(item)
        .where(eq(item.id, sql.placeholder('id')))
        .prepare('item_by_id');
      for (let id = 1; id <= 200; id += 1) say(await byId.execute({ id }));
    });
  },
  errors: async (place, say) => {
    await connected(place, async (db) => {
      for (const wrong of WRONG) say(await refused(db.execute(sql.raw(wrong))));
    });
  },
  pool: async (place, say) => {
    await connected(place, async (db) => {
      const ids = Array.from({ length: 200 }, (_, index) => index + 1);
      say(await Promise.all(ids.map(async (id) => await db.select().from(item).where(eq(item.id, id)))));
    });
  },
});

for (const [title, compare] of tests) test(title, compare);
