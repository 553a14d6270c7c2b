/**
 * An operator's day with two real agents: Debian's `patronictl` and the REST API, over one cluster, in order. Each test
 * begins and ends with a leader and a streaming standby.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { connectEtcd, type Dcs } from '../../src/dcs/index.ts';
import { keyLayout } from '../../src/topology/index.ts';
import { type Host, sharedLogs, someHosts } from '../support/agents.ts';
import {
  answered,
  at,
  codes,
  fieldOf,
  is,
  named,
  statusOf,
  wholePair,
  yes,
} from '../support/asking-agents.ts';
import { matriarch } from '../support/command.ts';
import { startEtcd } from '../support/etcd.ts';
import { eventually } from '../support/eventually.ts';
import { noPatronictl, patronictl, type Ran } from '../support/patronictl.ts';
import { scratchFolder } from '../support/scratch.ts';

const LIMIT = { timeout: 180_000 };
const WITH_PATRONICTL = { ...LIMIT, skip: noPatronictl };
const layout = keyLayout('/service/', 'herd');
const call = { timeoutMs: 2000 };

describe('operations', () => {
  const ends: (() => Promise<void>)[] = [];
  const scope = { after: (end: () => Promise<void>) => void ends.push(end) };
  let hosts: readonly Host[] = [];
  let notes = '';
  let dcs: Dcs;
  let ctl: (args: readonly string[], input?: string) => Promise<Ran>;
  const { watched, showLogs } = sharedLogs(() => hosts);

  before(async () => {
    const etcd = await startEtcd(scope);
    dcs = connectEtcd(
      { endpoints: etcd.urls, request_timeout: 2000 },
      { clock: systemClock, log: silentLog },
    );
    ctl = await patronictl(scope, etcd.urls);
    notes = join(await scratchFolder(scope), 'notes');
    await writeFile(notes, '');
    hosts = await someHosts(scope, {
      callback: `sh -c 'echo "$@" >> ${notes}' sh`,
      names: ['alpha', 'beta'],
      etcd: etcd.urls,
      ttl: '30s',
      tags: { beta: { colour: 'Grey', clonefrom: true } },
    });
    await watched(begin)();
  });

  /** alpha first, so that it is known who leads. */
  const begin = async (): Promise<void> => {
    alpha().start();
    await eventually('alpha leads', () => statusOf(alpha(), '/primary'), {
      holds: is(200),
      withinMs: 150_000,
    });
    beta().start();
    await whole();
  };

  after(async () => {
    await showLogs();
    await dcs.close();
    for (const end of ends.reverse()) await end();
  });

  const alpha = (): Host => named(hosts, 'alpha');
  const beta = (): Host => named(hosts, 'beta');
  const other = (host: Host): Host => (host.name === 'alpha' ? beta() : alpha());
  const whole = async (): Promise<Host> => await wholePair(hosts);

  const ran = async (args: readonly string[], input?: string): Promise<string> => {
    const { status, text } = await ctl(args, input);
    equal(status, 0, `patronictl ${args.join(' ')}: ${text}`);
    return text;
  };

  const told = async (method: string, path: string, body?: object): Promise<string> => {
    const { status, text } = await alpha().ask(method, path, body);
    return `${status} ${text}`;
  };

  it(
    'health checks say who leads, who may serve reads, and heed lag and tags',
    LIMIT,
    watched(async () => {
      const always = ['/patroni', '/liveness', '/readiness', '/health', '/read-only'];
      deepEqual(
        await codes(alpha()),
        yes([...always, '/', '/primary', '/master', '/read-write', '/leader', '/read-only-sync']),
      );
      deepEqual(
        await codes(beta()),
        yes([...always, '/replica', '/replica?lag=1GB', '/replica?tag_colour=Grey', '/async']),
      );
      for (const method of ['HEAD', 'OPTIONS']) {
        deepEqual(await alpha().ask(method, '/primary'), { status: 200, text: '' });
        deepEqual(await alpha().ask(method, '/replica'), { status: 503, text: '' });
      }
      const metrics = (await beta().ask('GET', '/metrics')).text;
      match(metrics, /^patroni_replica\{scope="herd",name="beta"\} 1$/m);
      match(metrics, /^patroni_postgres_timeline\{scope="herd",name="beta"\} 1$/m);
    }),
  );

  it(
    'requests that cannot be are refused in Patroni’s words',
    LIMIT,
    watched(async () => {
      const noCandidate = '400 Failover could be performed only to a specific candidate';
      const unmatched = '503 restart conditions are not satisfied';
      const cases: readonly (readonly [string, string, object | undefined, string])[] = [
        ['POST', '/reinitialize', undefined, '503 I am the leader, can not reinitialize'],
        ['POST', '/switchover', { leader: 'beta', candidate: 'alpha' }, '412 leader name does not match'],
        ['POST', '/switchover', { leader: 'alpha', candidate: 'delta' }, '412 candidate does not exists'],
        ['POST', '/failover', {}, '400 '],
        ['POST', '/failover', { leader: 'alpha' }, noCandidate],
        ['DELETE', '/switchover', undefined, '404 no switchover is scheduled'],
        ['DELETE', '/restart', undefined, '404 no restarts are scheduled'],
        ['POST', '/restart', { role: 'replica' }, unmatched],
        ['POST', '/restart', { restart_pending: true }, unmatched],
        ['PATCH', '/config', undefined, '400 '],
      ];
      for (const [method, path, body, answer] of cases)
        equal(await told(method, path, body), answer, `${method} ${path}`);
    }),
  );

  it(
    'a scheduled restart is shown, taken back, and carried out once',
    LIMIT,
    watched(async () => {
      const pid = await alpha().postmasterPid();
      equal((await alpha().ask('POST', '/restart', { schedule: at(60_000) })).text, 'Restart scheduled');
      equal(
        (await alpha().ask('POST', '/restart', { schedule: at(60_000) })).text,
        'Another restart is already scheduled',
      );
      await eventually(
        'the member shows it',
        async () => (await dcs.get(layout.member('alpha'), call))?.value ?? '',
        {
          holds: (text) => text.includes('scheduled_restart'),
          withinMs: 5000,
        },
      );
      equal((await alpha().ask('DELETE', '/restart')).text, 'scheduled restart deleted');
      await alpha().ask('POST', '/restart', { schedule: at(1500), role: 'primary' });
      await eventually('PostgreSQL runs anew', () => alpha().postmasterPid(), {
        holds: (now) => now !== undefined && now !== pid,
        withinMs: 30_000,
      });
      equal((await whole()).name, 'alpha');
      equal(await fieldOf(alpha(), 'scheduled_restart'), undefined);
    }),
  );

  it(
    'patronictl shows the cluster and its configuration',
    WITH_PATRONICTL,
    watched(async () => {
      match(await ran(['topology']), /\| alpha[\s\S]*\| \+ beta/);
      const rows: unknown = JSON.parse(await ran(['list', '-f', 'json']));
      ok(Array.isArray(rows) && rows.length === 2);
      match(await ran(['show-config']), /maximum_lag_on_failover: 1048576/);
    }),
  );

  it(
    'patronictl edits the configuration; what needs a restart is shown until there was one',
    WITH_PATRONICTL,
    watched(async () => {
      const edited = await ran([
        'edit-config',
        '--force',
        '-q',
        '-p',
        'max_connections=57',
        '-s',
        'maximum_lag_on_failover=2000000',
      ]);
      match(edited, /Configuration changed/);
      for (const host of hosts) {
        await eventually('a restart is pending', () => fieldOf(host, 'pending_restart'), {
          holds: is(true),
          withinMs: 15_000,
        });
      }
      match(
        await ran(['restart', 'herd', '--force', '--pending']),
        /Success: restart on member alpha[\s\S]*Success: restart on member beta/,
      );
      const leader = await whole();
      equal(leader.name, 'alpha', 'a restart is no failover');
      for (const host of hosts) {
        deepEqual(await answered(() => host.sql('SHOW max_connections')), [{ max_connections: '57' }]);
        await eventually('none is pending', () => fieldOf(host, 'pending_restart'), {
          holds: is(undefined),
          withinMs: 5000,
        });
      }
      match(await ran(['reload', 'herd', '--force']), /Reload request received for member beta/);
    }),
  );

  it(
    'patronictl makes a standby anew from its leader',
    WITH_PATRONICTL,
    watched(async () => {
      await answered(() => alpha().sql('CREATE TABLE IF NOT EXISTS known (id int)'));
      await beta().replaceText('marker', 'old');
      match(
        await ran(['reinit', 'herd', 'beta', '--force', '--wait']),
        /Success: reinitialize for member beta[\s\S]*Reinitialize is completed on: beta/,
      );
      await whole();
      equal(
        await beta()
          .fileText('marker')
          .catch(() => 'gone'),
        'gone',
      );
      deepEqual(await answered(() => beta().sql('SELECT count(*)::int AS n FROM known')), [{ n: 0 }]);
    }),
  );

  it(
    'patronictl hands over, now and at a time, fails over, and tells the history',
    WITH_PATRONICTL,
    watched(async () => {
      match(
        await ran(['switchover', '--force', '--master', 'alpha', '--candidate', 'beta']),
        /Successfully switched over to "beta"/,
      );
      equal((await whole()).name, 'beta');
      const later = new Date(systemClock.wallNow() + 3_600_000).toISOString();
      match(
        await ran([
          'switchover',
          '--force',
          '--master',
          'beta',
          '--candidate',
          'alpha',
          '--scheduled',
          later,
        ]),
        /Switchover scheduled/,
      );
      match(await ran(['flush', 'herd', 'switchover', '--force']), /scheduled switchover deleted/);
      match(
        await ran(['failover', '--force', '--candidate', 'alpha']),
        /Successfully failed over to "alpha"/,
      );
      equal((await whole()).name, 'alpha');
      const soon = { leader: 'alpha', candidate: 'beta', scheduled_at: at(1500) };
      deepEqual(await beta().ask('POST', '/switchover', soon), { status: 202, text: 'Switchover scheduled' });
      await eventually('beta leads', () => statusOf(beta(), '/primary'), {
        holds: is(200),
        withinMs: 30_000,
      });
      await whole();
      match(await ran(['history']), /no recovery target specified/);
    }),
  );

  it(
    'in a pause nothing is done that was not asked for, and what is done by hand is noticed',
    WITH_PATRONICTL,
    watched(async () => {
      match(await ran(['pause', '--wait']), /Success: cluster management is paused/);
      const first = await whole();
      const second = other(first);
      // A standby that died stays down until it is asked for.
      process.kill((await second.postmasterPid()) ?? 0, 'SIGKILL');
      await eventually('it is seen to be down', () => fieldOf(second, 'state'), {
        holds: (state) => state === 'crashed' || state === 'stopped',
        withinMs: 10_000,
      });
      equal(await statusOf(second, '/replica'), 503);
      match(await ran(['restart', 'herd', second.name, '--force']), /Success: restart on member/);
      await whole();
      // A change of leader needs a candidate, and then happens.
      const ask = async (body: object): Promise<string> =>
        (await second.ask('POST', '/switchover', { leader: first.name, ...body })).text;
      equal(await ask({}), 'Switchover is possible only to a specific candidate in a paused state');
      match(await ask({ candidate: second.name }), /^Successfully switched over/);
      equal((await whole()).name, second.name);
      // An agent that is stopped leaves PostgreSQL as it is, and finds it again.
      const pid = await first.postmasterPid();
      equal(await first.stop(), 0);
      first.start();
      await whole();
      equal(await first.postmasterPid(), pid);
      // By hand: the primary stopped, the standby promoted.
      process.kill((await second.postmasterPid()) ?? 0, 'SIGINT');
      await eventually('the key is free', async () => (await dcs.get(layout.leader, call))?.value, {
        holds: is(undefined),
        withinMs: 20_000,
      });
      deepEqual(await answered(() => first.sql('SELECT pg_is_in_recovery() AS standby')), [
        { standby: true },
      ]);
      await answered(() => first.sql('SELECT pg_promote(false)'));
      await eventually('it leads', () => statusOf(first, '/primary'), { holds: is(200), withinMs: 20_000 });
      equal(await second.postmasterPid(), undefined, 'what was stopped by hand stays so');
      match(await ran(['resume', '--wait']), /Success: cluster management is resumed/);
      equal((await whole()).name, first.name);
    }),
  );

  it(
    'our own command pauses, configures, restarts, reloads, makes anew, fails over and tells the history',
    LIMIT,
    watched(async () => {
      const leader = await whole();
      const standby = other(leader);
      const run = async (...args: readonly string[]): Promise<string> => {
        const surroundings = { cwd: '/', timeoutMs: 90_000 };
        const { status, out, err } = await matriarch([...args, '--config', leader.configFile], surroundings);
        equal(status, 0, `${args.join(' ')}: ${out}${err}`);
        return out;
      };
      equal(await run('pause'), 'The cluster is paused.\n');
      match(await run('list'), /Maintenance mode: on/);
      equal(await run('resume'), 'The cluster is not paused any more.\n');
      match(
        await run('edit-config', '-p', 'work_mem=6MB', '-s', 'maximum_lag_on_failover=3000000'),
        /^\+maximum_lag_on_failover: 3000000$/m,
      );
      match(await run('show-config'), /work_mem: 6MB/);
      await eventually(
        'both follow',
        () => Promise.all(hosts.map((host) => answered(() => host.sql('SHOW work_mem')))),
        {
          holds: (seen) => seen.flat().every((row) => row['work_mem'] === '6MB'),
          withinMs: 10_000,
        },
      );
      const refused = async (...args: readonly string[]): Promise<string> =>
        (await matriarch([...args, '--config', leader.configFile], { cwd: '/', timeoutMs: 90_000 })).err;
      match(await refused('restart', 'nobody'), /there is no member nobody.*\(member-unknown\)/s);
      match(await refused('edit-config'), /nothing to change.*\(edit-impossible\)/s);
      match(
        await refused('failover', '--candidate', leader.name),
        /no good candidates.*\(failover-failed\)/s,
      );
      equal(await run('restart', standby.name), `${standby.name}: restarted successfully\n`);
      equal(await run('reload', leader.name), `${leader.name}: reload scheduled\n`);
      equal(await run('reinit', standby.name), `${standby.name}: reinitialize started\n`);
      await whole();
      match(await run('failover', '--candidate', standby.name), /^Successfully failed over/);
      equal((await whole()).name, standby.name);
      match(await run('history'), /no recovery target specified/);
      await eventually('callbacks were told', async () => await readFile(notes, 'utf8'), {
        holds: (text) =>
          ['on_start', 'on_stop', 'on_restart', 'on_reload'].every((action) => text.includes(`${action} `)) &&
          text.includes('on_role_change primary herd') &&
          text.includes('on_role_change replica herd'),
        withinMs: 5000,
      });
    }),
  );

  it(
    'patronictl removes the keys of a cluster, and its leader writes them again',
    WITH_PATRONICTL,
    watched(async () => {
      const systemId = (await dcs.get(layout.initialize, call))?.value;
      const { leader } = { leader: (await whole()).name };
      match(await ran(['remove', 'herd'], `herd\nYes I am aware\n${leader}\n`), /herd/);
      await whole();
      await eventually(
        'the identity is there again',
        async () => (await dcs.get(layout.initialize, call))?.value,
        { holds: is(systemId), withinMs: 10_000 },
      );
    }),
  );
});
