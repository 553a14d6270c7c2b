/**
 * An operator's day with two real agents: Debian's `patronictl` and the REST API, over one cluster, in order. Each test
 * begins and ends with a leader and a streaming standby.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { connectEtcd, type Dcs } from '../../src/dcs/index.ts';
import { keyLayout } from '../../src/topology/index.ts';
import { type Host, sharedLogs, someHosts } from '../support/agents.ts';
import { startEtcd } from '../support/etcd.ts';
import { eventually } from '../support/eventually.ts';
import { noPatronictl, patronictl, type Ran } from '../support/patronictl.ts';

const LIMIT = { timeout: 180_000 };
const WITH_PATRONICTL = { ...LIMIT, skip: noPatronictl };
const layout = keyLayout('/service/', 'herd');
const call = { timeoutMs: 2000 };

describe('operations', () => {
  const ends: (() => Promise<void>)[] = [];
  const scope = { after: (end: () => Promise<void>) => void ends.push(end) };
  let hosts: readonly Host[] = [];
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
    hosts = await someHosts(scope, {
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

  const alpha = (): Host => hostOf('alpha');
  const beta = (): Host => hostOf('beta');
  const hostOf = (name: string | undefined): Host => {
    const found = hosts.find((host) => host.name === name);
    ok(found !== undefined, `no host ${name}`);
    return found;
  };
  const other = (host: Host): Host => (host.name === 'alpha' ? beta() : alpha());
  const statusOf = async (host: Host, path: string): Promise<number | undefined> =>
    (await host.rest(path).catch(() => undefined))?.status;
  const fieldOf = async (host: Host, name: string): Promise<unknown> =>
    (await host.rest('/patroni').catch(() => undefined))?.body[name];
  const is = (wanted: unknown) => (seen: unknown) => seen === wanted;

  /** The leader, once its standby streams from it. */
  const whole = async (): Promise<Host> => {
    const leader = await eventually(
      'a leader and a streaming standby',
      async () => {
        for (const host of hosts) {
          if ((await statusOf(host, '/primary')) !== 200) continue;
          if ((await fieldOf(other(host), 'replication_state')) === 'streaming') return host.name;
        }
        return undefined;
      },
      { holds: (name) => name !== undefined, withinMs: 150_000 },
    );
    return hostOf(leader);
  };

  const ran = async (args: readonly string[], input?: string): Promise<string> => {
    const { status, text } = await ctl(args, input);
    equal(status, 0, `patronictl ${args.join(' ')}: ${text}`);
    return text;
  };

  it(
    'health checks say who leads, who may serve reads, and heed lag and tags',
    LIMIT,
    watched(async () => {
      const codes = async (host: Host): Promise<Record<string, number | undefined>> =>
        Object.fromEntries(
          await Promise.all(PATHS.map(async (path) => [path, await statusOf(host, path)] as const)),
        );
      const yes = (paths: readonly string[]) =>
        Object.fromEntries(PATHS.map((path) => [path, paths.includes(path) ? 200 : 503]));
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
      const told = async (method: string, path: string, body?: object): Promise<string> => {
        const { status, text } = await alpha().ask(method, path, body);
        return `${status} ${text}`;
      };
      equal(await told('POST', '/reinitialize'), '503 I am the leader, can not reinitialize');
      equal(
        await told('POST', '/switchover', { leader: 'beta', candidate: 'alpha' }),
        '412 leader name does not match',
      );
      equal(
        await told('POST', '/switchover', { leader: 'alpha', candidate: 'delta' }),
        '412 candidate does not exists',
      );
      equal(await told('POST', '/failover', {}), '400 ');
      equal(
        await told('POST', '/failover', { leader: 'alpha' }),
        '400 Failover could be performed only to a specific candidate',
      );
      equal(await told('DELETE', '/switchover'), '404 no switchover is scheduled');
      equal(await told('DELETE', '/restart'), '404 no restarts are scheduled');
      equal(await told('POST', '/restart', { role: 'replica' }), '503 restart conditions are not satisfied');
      equal(
        await told('POST', '/restart', { restart_pending: true }),
        '503 restart conditions are not satisfied',
      );
      equal(await told('PATCH', '/config'), '411 ');
    }),
  );

  it(
    'a scheduled restart is shown, taken back, and carried out once',
    LIMIT,
    watched(async () => {
      const before = await alpha().postmasterPid();
      const at = (ms: number): string => new Date(systemClock.wallNow() + ms).toISOString();
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
        holds: (pid) => pid !== undefined && pid !== before,
        withinMs: 30_000,
      });
      equal((await whole()).name, 'alpha');
      equal(await fieldOf(alpha(), 'scheduled_restart'), undefined);
    }),
  );

  it(
    'patronictl shows the cluster, its configuration and its history',
    WITH_PATRONICTL,
    watched(async () => {
      match(await ran(['list']), /alpha .*Leader .*running[\s\S]*beta .*Replica .*(running|streaming)/);
      match(await ran(['topology']), /\| alpha[\s\S]*\| \+ beta/);
      const rows: unknown = JSON.parse(await ran(['list', '-f', 'json']));
      ok(Array.isArray(rows) && rows.length === 2);
      match(await ran(['show-config']), /maximum_lag_on_failover: 1048576/);
      equal(await ran(['history', '-f', 'json']), '[]\n');
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
      match(await ran(['list']), /Pending restart/);
      match(
        await ran(['restart', 'herd', '--force', '--pending']),
        /Success: restart on member alpha[\s\S]*Success: restart on member beta/,
      );
      const leader = await whole();
      equal(leader.name, 'alpha', 'a restart is no failover');
      for (const host of hosts) {
        deepEqual(await host.sql('SHOW max_connections'), [{ max_connections: '57' }]);
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
      await alpha().sql('CREATE TABLE known (id int)');
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
      deepEqual(await beta().sql('SELECT count(*)::int AS n FROM known'), [{ n: 0 }]);
    }),
  );

  it(
    'patronictl hands over, now and at a time, and fails over',
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
      match(await ran(['list']), /Switchover scheduled at/);
      match(await ran(['flush', 'herd', 'switchover', '--force']), /scheduled switchover deleted/);
      match(
        await ran(['failover', '--force', '--candidate', 'alpha']),
        /Successfully failed over to "alpha"/,
      );
      equal((await whole()).name, 'alpha');
      const soon = new Date(systemClock.wallNow() + 2000).toISOString();
      match(
        await ran(['switchover', '--force', '--master', 'alpha', '--candidate', 'beta', '--scheduled', soon]),
        /Switchover scheduled/,
      );
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
      match(await ran(['list']), /Maintenance mode: on/);
      // A standby that died stays down until it is asked for.
      process.kill((await alpha().postmasterPid()) ?? 0, 'SIGKILL');
      await eventually('it is seen to be down', () => fieldOf(alpha(), 'state'), {
        holds: (state) => state === 'crashed' || state === 'stopped',
        withinMs: 10_000,
      });
      equal(await statusOf(alpha(), '/replica'), 503);
      match(await ran(['restart', 'herd', 'alpha', '--force']), /Success: restart on member alpha/);
      await whole();
      // A change of leader needs a candidate, and then happens.
      equal(
        (await alpha().ask('POST', '/switchover', { leader: 'beta' })).text,
        'Switchover is possible only to a specific candidate in a paused state',
      );
      match(
        (await alpha().ask('POST', '/switchover', { leader: 'beta', candidate: 'alpha' })).text,
        /^Successfully/,
      );
      equal((await whole()).name, 'alpha');
      // An agent that is stopped leaves PostgreSQL as it is, and finds it again.
      const pid = await beta().postmasterPid();
      equal(await beta().stop(), 0);
      beta().start();
      await whole();
      equal(await beta().postmasterPid(), pid);
      // By hand: the primary stopped, the standby promoted.
      process.kill((await alpha().postmasterPid()) ?? 0, 'SIGINT');
      await eventually('the key is free', async () => (await dcs.get(layout.leader, call))?.value, {
        holds: is(undefined),
        withinMs: 10_000,
      });
      deepEqual(await beta().sql('SELECT pg_is_in_recovery() AS standby'), [{ standby: true }]);
      await beta().sql('SELECT pg_promote()');
      await eventually('beta leads', () => statusOf(beta(), '/primary'), {
        holds: is(200),
        withinMs: 15_000,
      });
      equal(await alpha().postmasterPid(), undefined, 'what was stopped by hand stays so');
      match(await ran(['resume', '--wait']), /Success: cluster management is resumed/);
      equal((await whole()).name, 'beta');
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

const PATHS = [
  '/',
  '/primary',
  '/master',
  '/read-write',
  '/leader',
  '/standby-leader',
  '/standby_leader',
  '/replica',
  '/replica?lag=1GB',
  '/replica?lag=none',
  '/replica?tag_colour=Grey',
  '/replica?tag_colour=Pink',
  '/read-only',
  '/read-only-sync',
  '/sync',
  '/async',
  '/health',
  '/liveness',
  '/readiness',
  '/patroni',
  '/nonsense',
];
