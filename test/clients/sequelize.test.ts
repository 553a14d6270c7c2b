/** Sequelize over node-postgres, with the pool sequelize-pool. */
import { test } from 'node:test';
import { DataTypes, Op, QueryTypes, Sequelize, Transaction } from 'sequelize';
import type { Place } from '../support/client-lab.ts';
import { playGuest } from '../support/client-suite.ts';
import { refused, TYPES, WRONG } from './wrong.ts';

interface World {
  readonly db: Sequelize;
  readonly item: ReturnType<Sequelize['define']>;
  readonly note: ReturnType<Sequelize['define']>;
}

async function connected(place: Place, work: (world: World) => Promise<void>): Promise<void> {
  const { host, port, user, password, database } = place;
  const db = new Sequelize(database, user, password, {
    host,
    port,
    dialect: 'postgres',
    logging: false,
    pool: { max: 5 },
    define: { timestamps: false, freezeTableName: true },
  });
  const id = { type: DataTypes.INTEGER, primaryKey: true };
  const item = db.define('item', { id, name: DataTypes.TEXT, price: DataTypes.DECIMAL(10, 2) });
  const note = db.define('note', { id, body: DataTypes.TEXT, item_id: DataTypes.INTEGER });
  note.belongsTo(item, { foreignKey: 'item_id' });
  try {
    await work({ db, item, note });
  } finally {
    await db.close();
  }
}

const plain = (rows: readonly { toJSON: () => unknown }[]): unknown[] => rows.map((row) => row.toJSON());

const tests = playGuest('sequelize', {
  types: async (place, say) => {
    await connected(place, async ({ db }) => say(await db.query(TYPES, { type: QueryTypes.SELECT })));
  },
  parameters: async (place, say) => {
    await connected(place, async ({ db, item }) => {
      say(plain(await item.findAll({ where: { id: { [Op.in]: [1, 5, 999] } }, order: ['id'] })));
      const text = 'SELECT $1::int AS a, $2::text AS b';
      say(await db.query(text, { bind: [42, "it's"], type: QueryTypes.SELECT }));
      say(await item.count(), await db.getQueryInterface().describeTable('note'));
    });
  },
  transactions: async (place, say) => {
    await connected(place, async ({ db, item, note }) => {
      await db.transaction(async (transaction) => {
        const rows = [
          { id: 1, body: 'one', item_id: 1 },
          { id: 2, body: 'two' },
        ];
        await note.bulkCreate(rows, { transaction });
      });
      const lost = db.transaction(async (transaction) => {
        say(await note.destroy({ where: { id: 1 }, transaction }));
        await db.query('SELECT 1/0', { transaction });
      });
      say(await refused(lost));
      const isolationLevel = Transaction.ISOLATION_LEVELS.SERIALIZABLE;
      await db.transaction({ isolationLevel }, async (transaction) => {
        say(plain(await note.findAll({ include: item, order: ['id'], transaction })));
        say(await note.update({ body: 'changed' }, { where: { id: 2 }, returning: true, transaction }));
      });
      say(await note.destroy({ where: {} }));
    });
  },
  savepoints: async (place, say) => {
    await connected(place, async ({ db, note }) => {
      const outer = db.transaction(async (transaction) => {
        for (const id of [1, 1, 2]) {
          const inner = db.transaction({ transaction }, async (within) => {
            await note.create({ id }, { transaction: within });
          });
          say(await refused(inner));
        }
        say(plain(await note.findAll({ order: ['id'], transaction })));
        throw new Error('given up');
      });
      say(await refused(outer));
    });
  },
  errors: async (place, say) => {
    await connected(place, async ({ db }) => {
      for (const wrong of WRONG) say(await refused(db.query(wrong)));
    });
  },
  pool: async (place, say) => {
    await connected(place, async ({ item }) => {
      const ids = Array.from({ length: 200 }, (_, index) => index + 1);
      const found = await Promise.all(ids.map(async (id) => await item.findByPk(id)));
      say(found.map((row): unknown => row?.toJSON()));
    });
  },
});

for (const [title, compare] of tests) test(title, compare);
