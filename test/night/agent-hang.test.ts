/** Two real agents: the primary's PostgreSQL stands still, all of it, and its agent lives and keeps the lease. */
import { deepEqual, ok } from 'node:assert/strict';
import { it } from 'node:test';
import { type Host, sharedLogs, someHosts } from '../support/agents.ts';
import { startEtcd } from '../support/etcd.ts';
import { eventually } from '../support/eventually.ts';

const LIMIT = { timeout: 240_000 };

it(
  'a primary that answers no question is stopped and leads no more, once a standby can take over',
  LIMIT,
  async (t) => {
    const etcd = await startEtcd(t);
    const hosts = await someHosts(t, { names: ['one', 'two'], etcd: etcd.urls });
    const { watched, showLogs } = sharedLogs(() => hosts);
    try {
      await watched(() => play(hosts))();
    } finally {
      await showLogs();
    }
  },
);

async function play([first, second]: readonly Host[]): Promise<void> {
  ok(first !== undefined && second !== undefined);
  first.start();
  await answers(first, '/primary', 90_000);
  // There is no configuration to change before the leader has written the first one.
  await eventually('the timeout is set', () => first.ask('PATCH', '/config', { primary_answer_timeout: 6 }), {
    holds: ({ status }) => status === 200,
    withinMs: 60_000,
  });
  await first.sql('CREATE TABLE kept (id int)');

  // Nobody can take over: it keeps the key, for however long.
  const alone = await first.serverPids();
  for (const pid of alone) process.kill(pid, 'SIGSTOP');
  await eventually('it is known to be hung', () => first.log(), {
    holds: (log) => log.includes('postgres-useless-no-candidate'),
    withinMs: 60_000,
  });
  for (const pid of alone) process.kill(pid, 'SIGCONT');
  await answers(first, '/primary', 30_000);
  await first.sql('INSERT INTO kept VALUES (1)');

  second.start();
  await answers(second, '/replica?lag=0', 90_000);
  const stopped = await first.serverPids();
  for (const pid of stopped) process.kill(pid, 'SIGSTOP');
  await answers(second, '/primary', 90_000);
  const left = await first.serverPids();
  deepEqual(
    stopped.filter((pid) => left.includes(pid)),
    [],
  );
  const log = await first.log();
  const [hung, released] = [log.indexOf('"because":"postgres-hangs"'), log.lastIndexOf('"do":"release"')];
  ok(hung > 0 && released > hung, 'it was stopped, then the key went');
  deepEqual(await second.sql('SELECT id FROM kept'), [{ id: 1 }]);
  await answers(first, '/replica?lag=0', 90_000);
}

async function answers(host: Host, path: string, withinMs: number): Promise<void> {
  await eventually(`${host.name} answers ${path}`, () => host.rest(path).catch(() => undefined), {
    holds: (answer) => answer?.status === 200,
    withinMs,
  });
}
