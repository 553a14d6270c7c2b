/** pg-cursor: portals that are read in portions, over node-postgres. */
import { test } from 'node:test';
import pg from 'pg';
import Cursor from 'pg-cursor';
import type { Place } from '../support/client-lab.ts';
import { playGuest } from '../support/client-suite.ts';
import { refused } from './wrong.ts';

async function connected(place: Place, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const { host, port, user, password, database } = place;
  const client = new pg.Client({ host, port, user, password, database });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

const ITEMS = 'SELECT id FROM item WHERE id > $1 ORDER BY id';

const tests = playGuest('pg-cursor', {
  cursors: async (place, say) => {
    await connected(place, async (client) => {
      const cursor = client.query(new Cursor(ITEMS, [10]));
      const sizes: number[] = [];
      for (;;) {
        const rows: unknown[] = await cursor.read(300);
        sizes.push(rows.length);
        if (rows.length === 0) break;
      }
      say(sizes);
      await cursor.close();
      const given = client.query(new Cursor(ITEMS, [0]));
      say(await given.read(3));
      await given.close();
      say((await client.query("SELECT 'usable' AS it")).rows);
    });
  },
  transactions: async (place, say) => {
    await connected(place, async (client) => {
      await client.query('BEGIN');
      await client.query('INSERT INTO note (id) SELECT generate_series(1, 50)');
      const cursor = client.query(new Cursor('SELECT id FROM note ORDER BY id'));
      say((await cursor.read(7)).length, (await cursor.read(100)).length);
      await cursor.close();
      await client.query('ROLLBACK');
    });
  },
  errors: async (place, say) => {
    await connected(place, async (client) => {
      say(await refused(client.query(new Cursor('SELECT * FROM no_such_table')).read(1)));
      const cursor = client.query(new Cursor('SELECT 10 / (5 - g) AS it FROM generate_series(1, 10) g'));
      say(await refused(cursor.read(100)));
      say((await client.query("SELECT 'usable' AS it")).rows);
    });
  },
});

for (const [title, compare] of tests) test(title, compare);
