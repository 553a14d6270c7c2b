/** A router that is given another configuration while clients are connected. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { startMatriarch } from '../support/command.ts';
import { eventually } from '../support/eventually.ts';
import { freshLoopback } from '../support/loopback.ts';
import { aClient, aStage } from '../support/router.ts';

test('a changed file is taken over at SIGHUP or by itself, or refused whole, and clients stay', {
  timeout: 60_000,
}, async (t) => {
  const stage = await aStage(t);
  const folder = await mkdtemp(join(tmpdir(), 'matriarch-reload-'));
  t.after(async () => await rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'matriarch.yaml');
  const host = freshLoopback();
  const write = async (router: Readonly<Record<string, unknown>>): Promise<void> =>
    await writeFile(
      file,
      stringify({
        scope: 'test',
        name: 'app1',
        datacenter: 'dc1',
        etcd: { endpoints: stage.etcdUrls },
        router: { listen: `${host}:5432`, http_listen: `${host}:8009`, ...router },
      }),
    );
  await write({});
  const router = startMatriarch(['router', '--config', file], { cwd: folder, timeoutMs: 50_000 });
  t.after(async () => {
    router.child.kill('SIGTERM');
    await router.ended;
  });
  const logged = async (event: string, times: number): Promise<void> => {
    await eventually(
      `${event} is logged ${times} times`,
      () => router.out().split(`"event":"${event}"`).length - 1,
      {
        holds: (seen) => seen >= times,
        withinMs: 10_000,
      },
    );
  };
  await logged('router-listening', 1);
  const as = { host, port: 5432, user: 'app', password: 'app', database: 'app' };
  const client = await aClient(t, as);
  await client.query('BEGIN');
  await client.query('CREATE TABLE kept (a int)');

  await write({ weights: { local: 0, remote: 5 }, client_idle_timeout: '10min', default_pool_size: 1 });
  router.child.kill('SIGHUP');
  await logged('reload-applied', 1);
  const reader = await aClient(t, as);
  for (let round = 0; round < 10; round += 1) {
    const { rows } = await reader.query('SELECT inet_server_addr() AS at');
    assert.notEqual(rows[0]?.at, stage.nodes.n1.address.host, 'the local node has no weight any more');
  }

  await write({ listen: '127.0.0.1:1', default_pool_size: 7 });
  router.child.kill('SIGHUP');
  await logged('reload-refused', 1);
  assert.match(router.out(), /reload-needs-restart/);
  assert.match(router.out(), /must be restarted for: router\.listen/);
  await write({ default_pool_sise: 7 });
  router.child.kill('SIGHUP');
  await logged('reload-refused', 2);
  assert.match(router.out(), /did you mean default_pool_size/);
  // Asked again, it says so; nobody asked for a look at the file after each of these.
  router.child.kill('SIGHUP');
  await logged('reload-still-refused', 1);

  await write({ weights: { local: 10, remote: 0 } });
  await logged('reload-applied', 2);
  await client.query('COMMIT');
  assert.equal((await client.query('SELECT count(*)::int AS n FROM kept')).rows[0]?.n, 0);

  const rules = join(folder, 'hba.conf');
  await writeFile(rules, 'host all app all sram-sha-256\n');
  const applied = { weights: { local: 10, remote: 0 } };
  await write({ ...applied, auth_type: 'hba', auth_hba_file: rules });
  await logged('reload-refused', 3);
  assert.match(router.out(), /hba\.conf:1: unknown method/);
  await aClient(t, as);
  // The mended file brings in the one that named it.
  await writeFile(rules, 'host all all all reject\n');
  await logged('reload-applied', 3);
  await assert.rejects(aClient(t, as), { code: '28000' });
  assert.equal((await client.query('SELECT 1')).rowCount, 1);

  await write({ ...applied, auth_type: 'hba', auth_hba_file: rules, default_pool_size: 9 });
  await logged('reload-applied', 4);
  assert.equal(router.out().split('"event":"reload-refused"').length - 1, 3, 'each refusal is told once');
  assert.equal(router.out().split('"event":"reload-still-refused"').length - 1, 1);
});
