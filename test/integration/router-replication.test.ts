/** Programs that replicate, through a router: their connections go to the primary and through unread. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { BIN_DIR } from '../support/postgres.ts';
import { sql } from '../support/sql.ts';
import { aClient, aRouter, aStage, type RunningRouter } from '../support/router.ts';

const ARCHIVER = 'archive-secret';
const AS_APP = { user: 'app', password: 'app', database: 'app' };

/** One of PostgreSQL's own programs, started; its output is in `output()`. */
function program(name: string, args: readonly string[], password: string) {
  const env = { ...process.env, PGPASSWORD: password };
  const child = spawn(join(BIN_DIR, name), args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, ended, output: () => output };
}

const at = ({ host, port }: RunningRouter, user: string): string[] => [
  '-h',
  host,
  '-p',
  String(port),
  '-U',
  user,
];

test('replication through a router', { timeout: 120_000 }, async (suite) => {
  const stage = await aStage(suite, {
    parameters: { wal_level: 'logical' },
    pg_hba: ['host all,replication all all scram-sha-256'],
  });
  const primary = stage.nodes.n1;
  const { superuser } = primary.settings.authentication;
  await sql(primary, `CREATE ROLE archiver LOGIN REPLICATION PASSWORD '${ARCHIVER}'`);
  const router = await aRouter(suite, stage, ['admin_users: [app]']);
  const folder = await mkdtemp(join(tmpdir(), 'matriarch-replication-'));
  suite.after(async () => await rm(folder, { recursive: true, force: true }));
  await suite.test('pg_basebackup takes a whole copy, with its WAL in a second connection', async () => {
    const target = join(folder, 'copy');
    const backup = program(
      'pg_basebackup',
      [...at(router, 'archiver'), '-D', target, '-X', 'stream', '-c', 'fast'],
      ARCHIVER,
    );
    assert.equal(await backup.ended, 0, backup.output());
    assert.equal((await readFile(join(target, 'PG_VERSION'), 'utf8')).trim(), '15');
    const verify = program('pg_verifybackup', [target], '');
    assert.equal(await verify.ended, 0, verify.output());
  });

  await suite.test('pg_receivewal streams what is written meanwhile', async () => {
    const receive = program(
      'pg_receivewal',
      [...at(router, 'archiver'), '-D', folder, '--no-loop'],
      ARCHIVER,
    );
    await eventually(
      'a whole segment is there',
      async () => {
        await sql(primary, 'SELECT pg_switch_wal() FROM pg_logical_emit_message(false, $$a$$, $$b$$)');
        return await readdir(folder);
      },
      { holds: (names) => names.some((name) => /^[0-9A-F]{24}$/.test(name)), withinMs: 20_000 },
    );
    receive.child.kill('SIGINT');
    assert.equal(await receive.ended, 0, receive.output());
  });

  await suite.test('the console shows who replicates, and can end it', async (t) => {
    const receive = program(
      'pg_receivewal',
      [...at(router, 'archiver'), '-D', folder, '--no-loop'],
      ARCHIVER,
    );
    const admin = await aClient(t, router.as({ database: 'matriarch' }));
    const shown = async (table: string): Promise<readonly Record<string, unknown>[]> => {
      const { rows } = await admin.query<Record<string, unknown>>(`SHOW ${table}`);
      return rows.filter((row) => row['replication'] === 'physical');
    };
    const servers = await eventually('it is shown', async () => await shown('SERVERS'), {
      holds: (rows) => rows.length === 1,
      withinMs: 10_000,
    });
    const [client] = await shown('CLIENTS');
    assert.deepEqual(
      [client?.['user'], client?.['state'], client?.['link']],
      ['archiver', 'active', servers[0]?.['ptr']],
    );
    assert.equal(servers[0]?.['link'], client?.['ptr']);
    const pids = await sql(primary, "SELECT pid FROM pg_stat_activity WHERE usename = 'archiver'");
    assert.equal(servers[0]?.['remote_pid'], pids[0]?.['pid']);
    assert.equal((await shown('SOCKETS')).length, 2);
    await admin.query(`KILL_CLIENT ${String(client?.['id'])}`);
    assert.notEqual(await receive.ended, 0);
    assert.deepEqual(await shown('CLIENTS'), []);
  });

  await suite.test('pg_recvlogical streams changes of a database', async () => {
    await sql(primary, 'CREATE TABLE changes (a int)', AS_APP);
    const logical = [...at(router, superuser.username), '-d', 'app', '-S', 'through_router'];
    const create = program(
      'pg_recvlogical',
      [...logical, '--create-slot', '-P', 'test_decoding'],
      superuser.password,
    );
    assert.equal(await create.ended, 0, create.output());
    const receive = program('pg_recvlogical', [...logical, '--start', '-f', '-'], superuser.password);
    await sql(primary, 'INSERT INTO changes VALUES (4711)', AS_APP);
    await eventually('the change is there', receive.output, {
      holds: (text) => text.includes('4711'),
      withinMs: 20_000,
    });
    receive.child.kill('SIGINT');
    await receive.ended;
    const drop = program('pg_recvlogical', [...logical, '--drop-slot'], superuser.password);
    assert.equal(await drop.ended, 0, drop.output());
  });

  await suite.test(
    'without a primary it is refused at once, and a wrong password in PostgreSQL’s words',
    async () => {
      const wrong = program('pg_receivewal', [...at(router, 'archiver'), '-D', folder, '--no-loop'], 'wrong');
      await wrong.ended;
      assert.match(wrong.output(), /password authentication failed for user/);
      await stage.setLeader(undefined);
      const refused = await eventually(
        'it is refused',
        async () => {
          const receive = program(
            'pg_receivewal',
            [...at(router, 'archiver'), '-D', folder, '--no-loop'],
            ARCHIVER,
          );
          setTimeout(() => receive.child.kill('SIGINT'), 500).unref();
          await receive.ended;
          return receive.output();
        },
        { holds: (text) => /no server of the cluster/.test(text), withinMs: 10_000 },
      );
      assert.match(refused, /no member holds the leader key|no leader/i);
      await stage.setLeader('n1');
    },
  );
});
