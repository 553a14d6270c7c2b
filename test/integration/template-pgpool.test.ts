/**
 * A real pgpool-II in front of real servers, kept right by the shipped resource: it follows a new primary, which a plain
 * reload does not make it do, and takes back who was away.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { keyLayout } from '../../src/topology/index.ts';
import { etcdBackend } from '../../src/template/shell/backend.ts';
import { watch } from '../../src/template/shell/watcher.ts';
import { memberText } from '../support/a-view.ts';
import { matriarch } from '../support/command.ts';
import { eventually } from '../support/eventually.ts';
import { freshLoopback } from '../support/loopback.ts';
import { askPgpool, hasPgpool, pgpoolPlace, poolNodes, startPgpool } from '../support/pgpool.ts';
import { aPrimary, aStandby, startAs, type TestMember, until } from '../support/postgres.ts';
import { scratchFolder } from '../support/scratch.ts';
import { templateHost } from '../support/template-host.ts';

const SHARE = fileURLToPath(new URL('../../../share/template/pgpool', import.meta.url));
const COMMAND = fileURLToPath(new URL('../../../bin/matriarch', import.meta.url));
const layout = keyLayout('/service/', 'main');
const WITHIN_MS = 60_000;

test('pgpool-II follows a new primary, drops who is gone and takes back who returns', {
  skip: !hasPgpool && 'there is no pgpool-II',
}, async (t) => {
  const db1 = await aPrimary(t, 'db1');
  const db2 = await aStandby(t, 'db2', db1);
  const place = await pgpoolPlace(await scratchFolder(t), freshLoopback());
  const toml = await readFile(join(SHARE, 'conf.d/pgpool-backends.toml'), 'utf8');
  const reload = /^reload_cmd = "matriarch (.*)"$/m.exec(toml)?.[1] ?? '';
  const host = await templateHost(t, {
    template: await readFile(join(SHARE, 'templates/pgpool-backends.conf.tmpl'), 'utf8'),
    dest: place.backends,
    resource: `reload_cmd = "${process.execPath} ${COMMAND} ${reload
      .replace('/etc/pgpool2/matriarch.pcppass', place.passfile)
      .replace('--pcp-user', `--pcp-host ${place.host} --pcp-user`)}"`,
  });
  const publish = async (member: TestMember, role: 'primary' | 'replica', timeline: number): Promise<void> =>
    await host.put(
      layout.member(member.name),
      memberText(member.name, {
        conn_url: `postgres://${member.address.host}:${member.address.port}/postgres`,
        role,
        timeline,
        tags: { datacenter: member === db1 ? 'dc1' : 'dc2' },
      }),
    );
  await host.put(layout.leader, 'db1');
  await publish(db1, 'primary', 1);
  await publish(db2, 'replica', 1);
  const policy = { localDatacenter: 'dc2', weights: { local: 10, remote: 1 }, addresses: {} };
  const stop = new AbortController();
  const watching = watch(
    { ...host.options({ cluster: { name: 'main', layout, policy } }), backend: etcdBackend(host.store) },
    stop.signal,
  );
  try {
    await until('the file is there', async () => (await readFile(place.backends, 'utf8')) !== '');
    startPgpool(t, place);
    const becomes = async (...nodes: string[]): Promise<unknown> =>
      await eventually(nodes.join(', '), async () => await poolNodes(place).catch(String), {
        holds: (seen) => JSON.stringify(seen) === JSON.stringify(nodes),
        withinMs: WITHIN_MS,
      });
    const one = db1.address.host;
    const two = db2.address.host;
    await becomes(`${one} up primary 0.09`, `${two} up standby 0.91`);
    await askPgpool(place, 'CREATE TABLE written (at text)');

    // The primary's host is lost, and the standby takes its place.
    await db1.control.stop({ mode: 'fast', deadlineMs: 10_000 });
    await host.remove(layout.leader);
    await host.remove(layout.member('db1'));
    await db2.control.promote({ deadlineMs: 20_000, stillAllowed: () => true });
    await host.put(layout.leader, 'db2');
    await publish(db2, 'primary', 2);
    await becomes(`${one} down standby 0.00`, `${two} up primary 1.00`);
    const write = async (): Promise<string> => {
      const rows = await askPgpool(place, 'INSERT INTO written VALUES (inet_server_addr()) RETURNING at');
      return rows[0]?.['at']?.split('/')[0] ?? '';
    };
    assert.equal(await write(), two);

    // The old primary comes back, as a standby.
    await startAs(db1, 'standby', db2);
    await publish(db1, 'replica', 2);
    await becomes(`${one} up standby 0.09`, `${two} up primary 0.91`);
    assert.equal(await write(), two);

    // One that never was is not reached, and that is told.
    const { status, err } = await matriarch(
      [
        'template',
        'pgpool-follow',
        place.backends,
        '--pcp-host',
        freshLoopback(),
        '--pcp-passfile',
        place.passfile,
      ],
      { cwd: place.folder },
    );
    assert.equal(status, 1);
    assert.match(err, /pcp_reload_config.*\n?.*\(pgpool-not-following\)|Command failed: pcp_reload_config/);
  } finally {
    stop.abort();
    await watching;
  }
});
