/** TypeORM over node-postgres, with schemas instead of decorators. */
import { test } from 'node:test';
import pg from 'pg';
import { DataSource, EntitySchema, In } from 'typeorm';
import type { Place } from '../support/client-lab.ts';
import { playGuest } from '../support/client-suite.ts';
import { refused, TYPES, WRONG } from './wrong.ts';

interface Item {
  id: number;
  name: string;
  price: string;
}
interface Note {
  id: number;
  body: string | null;
  item: Item | null;
}

const item = new EntitySchema<Item>({
  name: 'item',
  columns: {
    id: { type: 'int', primary: true },
    name: { type: 'text' },
    price: { type: 'numeric', precision: 10, scale: 2 },
  },
});
const note = new EntitySchema<Note>({
  name: 'note',
  columns: { id: { type: 'int', primary: true }, body: { type: 'text', nullable: true } },
  relations: {
    item: { type: 'many-to-one', target: 'item', nullable: true, joinColumn: { name: 'item_id' } },
  },
});

async function connected(place: Place, work: (db: DataSource) => Promise<void>): Promise<void> {
  const { host, port, user, password, database } = place;
  const db = new DataSource({
    type: 'postgres',
    driver: pg,
    host,
    port,
    username: user,
    password,
    database,
    entities: [item, note],
    installExtensions: false,
    extra: { max: 5 },
  });
  await db.initialize();
  try {
    await work(db);
  } finally {
    await db.destroy();
  }
}

const tests = playGuest('typeorm', {
  types: async (place, say) => {
    await connected(place, async (db) => say(await db.query<unknown>(TYPES)));
  },
  parameters: async (place, say) => {
    await connected(place, async (db) => {
      const items = db.getRepository(item);
      say(await items.find({ where: { id: In([1, 5, 999]) }, order: { id: 'ASC' } }));
      say(await items.createQueryBuilder('i').where('i.name = :name', { name: 'item 7' }).getOne());
      say(await db.query<unknown>('SELECT $1::int AS a, $2::text AS b', [42, "it's"]));
    });
  },
  transactions: async (place, say) => {
    await connected(place, async (db) => {
      await db.transaction(async (manager) => {
        await manager.insert(note, [
          { id: 1, body: 'one', item: { id: 1 } },
          { id: 2, body: null },
        ]);
      });
      const lost = db.transaction(async (manager) => {
        say((await manager.delete(note, { id: 1 })).affected);
        await manager.query('SELECT 1/0');
      });
      say(await refused(lost));
      await db.transaction('SERIALIZABLE', async (manager) => {
        say(await manager.find(note, { relations: { item: true }, order: { id: 'ASC' } }));
        const found = await manager.findOneByOrFail(note, { id: 1 });
        found.body = 'changed';
        say(await manager.save(note, found));
      });
      say((await db.createQueryBuilder().delete().from(note).execute()).affected);
    });
  },
  savepoints: async (place, say) => {
    await connected(place, async (db) => {
      const outer = db.transaction(async (manager) => {
        for (const id of [1, 1, 2]) {
          say(
            await refused(
              manager.transaction(async (inner) => (await inner.insert(note, { id })).identifiers),
            ),
          );
        }
        say(await manager.find(note, { order: { id: 'ASC' } }));
        throw new Error('given up');
      });
      say(await refused(outer));
    });
  },
  errors: async (place, say) => {
    await connected(place, async (db) => {
      for (const wrong of WRONG) say(await refused(db.query(wrong)));
    });
  },
  pool: async (place, say) => {
    await connected(place, async (db) => {
      const ids = Array.from({ length: 200 }, (_, index) => index + 1);
      say(await Promise.all(ids.map(async (id) => await db.getRepository(item).findOneBy({ id }))));
    });
  },
});

for (const [title, compare] of tests) test(title, compare);
