/** The lab as a whole: a planned switchover under a real client, and what a second lab is told. */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { ACCOUNTS } from '../../src/lab/index.ts';
import { matriarch } from '../support/command.ts';
import { placeForLab, type TestLab } from '../support/lab.ts';

let lab: TestLab;

before(async () => {
  lab = await placeForLab();
  await lab.verb('up', '--base-octet', String(lab.baseOctet));
});
after(() => lab.end());

const { username, password, database } = ACCOUNTS.application;

test('status shows three members, and a planned switchover costs no client an error', async () => {
  const errors: unknown[] = [];
  const done = new AbortController();
  let count = 0;
  const writer = async (index: 0 | 1 | 2): Promise<void> => {
    const client = new pg.Client({
      ...lab.layout.appHosts[index].router,
      user: username,
      password,
      database,
      connectionTimeoutMillis: 10_000,
    });
    client.on('error', (cause) => errors.push(cause));
    await client.connect();
    await client
      .query('CREATE TABLE IF NOT EXISTS t_switch (id int)')
      .catch((cause: unknown) => errors.push(cause));
    while (!done.signal.aborted) {
      await client.query('INSERT INTO t_switch VALUES (1)').catch((cause: unknown) => errors.push(cause));
      count += 1;
    }
    await client.end();
  };
  const config = join(lab.folder, 'hosts', 'db-sib-01', 'matriarch.yaml');
  const command = async (...args: readonly string[]): Promise<{ readonly primary: string }> => {
    const { status, out, err } = await matriarch([...args, '--json', '--config', config], { cwd: tmpdir() });
    assert.equal(status, 0, out + err);
    const parsed: { readonly primary: string } = JSON.parse(out);
    return parsed;
  };
  const { primary } = await command('status');
  const candidate = primary === 'db-sib-03' ? 'db-sib-01' : 'db-sib-03';
  const writing = writer(0);
  await command('switchover', '--candidate', candidate);
  done.abort();
  await writing;
  assert.equal((await command('status')).primary, candidate);
  assert.ok(count > 0);
  // A write whose answer the stop of the old primary cut off is in doubt and told so; nothing else may be seen.
  assert.deepEqual(
    errors.filter((cause) => !(cause instanceof pg.DatabaseError && cause.code === '08007')),
    [],
  );
});

test('a second lab on the same addresses is refused before anything is made', async () => {
  const other = await placeForLab();
  const { status, err } = await other.run('up', '--base-octet', String(lab.baseOctet));
  await other.end();
  assert.equal(status, 3);
  assert.match(err, /the lab's addresses are taken: .*PostgreSQL of db-sib-01.* and 15 more/);
  assert.match(err, /--base-octet/);
});
