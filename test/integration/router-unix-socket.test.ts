/** The router's Unix socket: where clients look for it, and whose it is. */
import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { aServer } from '../support/one-server.ts';
import { psql } from '../support/psql.ts';
import { refusalOf } from '../support/refusal.ts';
import { aRouter } from '../support/router.ts';
import { scratchFolder } from '../support/scratch.ts';

test('the Unix socket: where libpq looks, with its lock, and never another’s', async (t) => {
  const stage = await aServer(t);
  const folder = await scratchFolder(t);
  const lines = [`unix_socket_dir: ${folder}`, 'unix_socket_mode: "0770"', 'client_tls_sslmode: disable'];
  const path = join(folder, '.s.PGSQL.5432');
  const router = await aRouter(t, stage, lines);
  assert.equal((await psql(`host=${folder} dbname=app user=app`, 'SELECT 1')).stdout, '1\n');
  assert.equal(statSync(path).mode & 0o777, 0o770);
  assert.match(
    await refusalOf(t, lines),
    /router-socket-unusable: .*belongs to process|somebody listens on it/,
  );
  assert.equal((await psql(`host=${folder} dbname=app user=app`, 'SELECT 1')).stdout, '1\n');
  await router.stop();
  assert.deepEqual([existsSync(path), existsSync(`${path}.lock`)], [false, false]);

  await t.test('what a dead process left is removed', async () => {
    await writeFile(`${path}.lock`, '999999999\n');
    await writeFile(path, '');
    const again = await aRouter(t, stage, lines);
    assert.equal((await psql(`host=${folder} dbname=app user=app`, 'SELECT 1')).stdout, '1\n');
    await again.stop();
  });

  await t.test('what a living process holds is not', async () => {
    await writeFile(`${path}.lock`, '1\n');
    assert.match(await refusalOf(t, lines), /router-socket-unusable: .*belongs to process 1, which runs/);
    const other = join(folder, 'other');
    await mkdir(other);
    const listening = createServer();
    await new Promise<void>((resolve) => {
      listening.listen(join(other, '.s.PGSQL.5432'), resolve);
    });
    t.after(() => listening.close());
    assert.match(
      await refusalOf(t, [`unix_socket_dir: ${other}`]),
      /router-socket-unusable: .*somebody listens on it/,
    );
    assert.equal(existsSync(join(other, '.s.PGSQL.5432.lock')), false);
  });
});
