/** How a new cluster is made: with the options of initdb and the attributes of roles that the configuration has. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from 'pg';
import { aMember, startAs } from '../support/postgres.ts';

test('a cluster is made with the options that are given, and roles have their attributes', async (t) => {
  const member = await aMember(t, 'one');
  const { control, settings } = member;
  await control.initdb({ content: ['encoding=SQL_ASCII', 'locale=C'] });
  await startAs(member, 'primary');
  await control.bootstrapSql({
    users: [{ username: 'admin', password: 'secret', options: ['createdb', 'CREATEROLE'] }],
  });
  const client = new Client({
    host: settings.listen.host,
    port: settings.listen.port,
    user: 'admin',
    password: 'secret',
    database: 'postgres',
  });
  await client.connect();
  try {
    const { rows } = await client.query(
      "SELECT current_setting('server_encoding') AS encoding, current_setting('data_checksums') AS checksums, rolcreatedb, rolcreaterole, rolsuper FROM pg_roles WHERE rolname = 'admin'",
    );
    assert.deepEqual(rows, [
      { encoding: 'SQL_ASCII', checksums: 'off', rolcreatedb: true, rolcreaterole: true, rolsuper: false },
    ]);
  } finally {
    await client.end();
  }
});
