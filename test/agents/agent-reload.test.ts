/** A running agent reads its file again at SIGHUP: what may change does, what may not is named, and a wrong file changes nothing. */
import { deepEqual, match } from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { sharedLogs, someHosts } from '../support/agents.ts';
import { answered, fieldOf, is, named, statusOf } from '../support/asking-agents.ts';
import { startEtcd } from '../support/etcd.ts';
import { eventually } from '../support/eventually.ts';

test('a reload takes over tags and settings of PostgreSQL, names what needs a new agent, and refuses a wrong file', async (t) => {
  const { urls: etcd } = await startEtcd(t);
  const hosts = await someHosts(t, {
    names: ['alpha'],
    etcd,
    ttl: '30s',
    tags: { alpha: { colour: 'grey' } },
  });
  const alpha = named(hosts, 'alpha');
  const { watched, showLogs } = sharedLogs(() => hosts);
  t.after(showLogs);
  await watched(async () => {
    alpha.start();
    await eventually('alpha leads', () => statusOf(alpha, '/primary'), { holds: is(200), withinMs: 150_000 });
    const text = await readFile(alpha.configFile, 'utf8');
    const changed = text.replace('colour: grey', 'colour: pink').replace('16MB', '16MB\n    work_mem: 7MB');
    await writeFile(alpha.configFile, changed.replace('ttl: 30s', 'ttl: 31s'));
    alpha.signal('SIGHUP');
    await eventually('the tags are the new ones', () => fieldOf(alpha, 'tags'), {
      holds: (tags) => JSON.stringify(tags) === '{"colour":"pink","datacenter":"alpha"}',
      withinMs: 20_000,
    });
    await eventually('and so is the setting', () => answered(() => alpha.sql('SHOW work_mem')), {
      holds: ([row]) => row?.['work_mem'] === '7MB',
      withinMs: 20_000,
    });
    match(await alpha.log(), /"keys":\["lease\.ttl"\],"event":"reload-needs-new-agent"/);
    await writeFile(alpha.configFile, `${changed}nonsense: 1\n`);
    alpha.signal('SIGHUP');
    await eventually('the file is refused', () => alpha.log(), {
      holds: (log) => log.includes('reload-refused'),
      withinMs: 20_000,
    });
    deepEqual(await fieldOf(alpha, 'tags'), { colour: 'pink', datacenter: 'alpha' });
  })();
});
