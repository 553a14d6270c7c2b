/** pg-copy-streams: COPY as streams of Node's, over node-postgres. */
import { test } from 'node:test';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from, to } from 'pg-copy-streams';
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

async function text(stream: Readable): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(Buffer.from(part));
  return Buffer.concat(parts).toString();
}

const lines = (count: number, width: number): Readable =>
  Readable.from(Array.from({ length: count }, (_, index) => `${index}\t${'n'.repeat(width)}\n`));

const tests = playGuest('pg-copy-streams', {
  copy: async (place, say) => {
    await connected(place, async (client) => {
      await client.query('BEGIN');
      const into = client.query(from('COPY note (id, body) FROM STDIN'));
      await pipeline(lines(5000, 5), into);
      say(into.rowCount, (await client.query('SELECT count(*), sum(id) FROM note')).rows);
      say(await text(client.query(to('COPY (SELECT id, body FROM note ORDER BY id LIMIT 5) TO STDOUT'))));
      await client.query('ROLLBACK');
      say(await text(client.query(to('COPY (SELECT id, name FROM item ORDER BY id) TO STDOUT WITH CSV'))));
    });
  },
  large: async (place, say) => {
    await connected(place, async (client) => {
      await client.query('BEGIN');
      await pipeline(lines(2000, 10_000), client.query(from('COPY note (id, body) FROM STDIN')));
      say((await client.query('SELECT count(*), sum(length(body)) FROM note')).rows);
      say((await text(client.query(to('COPY note TO STDOUT')))).length);
      await client.query('ROLLBACK');
    });
  },
  errors: async (place, say) => {
    await connected(place, async (client) => {
      const bad = client.query(from('COPY note (id) FROM STDIN'));
      say(await refused(pipeline(Readable.from(['1\nx\n']), bad)));
      say(await refused(pipeline(lines(1, 1), client.query(from('COPY no_such_table FROM STDIN')))));
      say(await refused(text(client.query(to('COPY no_such_table TO STDOUT')))));
      say((await client.query("SELECT 'usable' AS it")).rows);
    });
  },
});

for (const [title, compare] of tests) test(title, compare);
