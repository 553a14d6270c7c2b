/** Text of the configuration files: quoting, what the agent owns, what a standby may not fall below. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  type ConfInput,
  cleanAutoConf,
  HEADER,
  isClosedHba,
  isDurable,
  renderClosedHba,
  renderConnInfo,
  renderHba,
  renderPassFile,
  renderPostgresqlConf,
} from '../../../src/postgres/conf.ts';
import { parseControlData } from '../../../src/postgres/control-data.ts';
import { someSettings } from '../../support/postgres.ts';

const settings = someSettings('/lab', { listen: { host: '127.1.0.2', port: 5433 } });

function anInput(changes: Partial<ConfInput> = {}): ConfInput {
  return {
    settings,
    scope: 'main',
    name: "s'1",
    socketDir: '/run/m',
    passFile: '/lab/data.pgpass',
    as: 'standby',
    upstream: { host: '127.2.0.2', port: 5432 },
    slot: 's_1',
    parameters: {},
    synchronousStandbyNames: undefined,
    control: undefined,
    ...changes,
  };
}

/** The file as name -> value text; a name that is set twice is a bug. */
function settingsOf(conf: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of conf.split('\n')) {
    const parts = /^([\w.$]+) = (.*)$/.exec(line);
    if (parts?.[1] === undefined || parts[2] === undefined) continue;
    assert.ok(!found.has(parts[1]), parts[1]);
    found.set(parts[1], parts[2]);
  }
  return found;
}

test('the agent decides its own settings, whatever parameters say', () => {
  const parameters = {
    Port: 1,
    listen_addresses: '*',
    wal_level: 'minimal',
    hot_standby: false,
    work_mem: '4MB',
  };
  const conf = settingsOf(renderPostgresqlConf(anInput({ parameters })));
  const expected = {
    port: '5433',
    listen_addresses: "'127.1.0.2'",
    wal_level: "'replica'",
    hot_standby: 'on',
    wal_log_hints: 'on',
    cluster_name: "'main'",
    unix_socket_directories: "'/run/m'",
    work_mem: "'4MB'",
    recovery_target_timeline: "'latest'",
    recovery_target: "''",
    recovery_target_xid: "''",
    primary_slot_name: "'s_1'",
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(conf.get(name), value, name);
});

test('a standby without an upstream, and a primary, stream from nobody', () => {
  for (const changes of [{ upstream: undefined }, { as: 'primary' as const }]) {
    const conf = settingsOf(renderPostgresqlConf(anInput(changes)));
    assert.equal(conf.get('primary_conninfo'), "''");
    assert.equal(conf.get('primary_slot_name'), "''");
  }
});

test('primary_conninfo is quoted twice and holds no password', () => {
  const conf = settingsOf(renderPostgresqlConf(anInput())).get('primary_conninfo') ?? '';
  assert.match(
    conf,
    /^'host=''127\.2\.0\.2'' port=''5432'' user=''replicator'' passfile=''\/lab\/data\.pgpass'' /,
  );
  assert.match(conf, /application_name=''s\\\\''1'' /);
  assert.doesNotMatch(conf, /password=|tion:1/);
});

test('a standby is raised to the settings of its pg_control, a primary is not', () => {
  const labels = {
    'Database system identifier': '7300000000000000001',
    'Database cluster state': 'shut down',
    'Latest checkpoint location': '0/1',
    "Latest checkpoint's TimeLineID": '1',
    'Minimum recovery ending location': '0/0',
    "Min recovery ending loc's timeline": '0',
    'wal_log_hints setting': 'on',
    'max_connections setting': '300',
    'max_worker_processes setting': '8',
    'max_wal_senders setting': '2',
    'max_prepared_xacts setting': '7',
    'max_locks_per_xact setting': '64',
    'Data page checksum version': '1',
  };
  const parsed = parseControlData(
    Object.entries(labels)
      .map(([label, value]) => `${label}: ${value}`)
      .join('\n'),
  );
  assert.ok(parsed.ok);
  const parameters = { max_connections: 200, max_wal_senders: 1 };
  const standby = settingsOf(renderPostgresqlConf(anInput({ parameters, control: parsed.value })));
  assert.equal(standby.get('max_connections'), '300');
  assert.equal(standby.get('max_prepared_transactions'), '7');
  assert.equal(standby.get('max_wal_senders'), '5');
  const primary = settingsOf(
    renderPostgresqlConf(anInput({ parameters, control: parsed.value, as: 'primary' })),
  );
  assert.equal(primary.get('max_connections'), '200');
  assert.equal(primary.get('max_prepared_transactions'), undefined);
});

test('a name or value that would break out of its line is refused', () => {
  for (const parameters of [
    { 'a b': 1 },
    { "x = 1\narchive_command = 'evil'": 1 },
    { work_mem: "1\narchive_command = 'evil'" },
    { '': 1 },
  ]) {
    assert.throws(() => renderPostgresqlConf(anInput({ parameters })), { code: 'postgres-setting-invalid' });
  }
  assert.throws(() => renderHba(settings, ['host all all all trust\nlocal all all trust']), {
    code: 'postgres-setting-invalid',
  });
});

test("pg_hba.conf has the agent's own lines first, and any user by SCRAM when the file names no lines", () => {
  const own = [
    'local all "postgres" scram-sha-256',
    'local replication "postgres" scram-sha-256',
    'host replication "replicator" all scram-sha-256',
    'host postgres "rewind_user" all scram-sha-256',
    'host postgres "matriarch_router" all scram-sha-256',
  ];
  const whole = (last: string): string => `${HEADER}${[...own, last].join('\n')}\n`;
  assert.equal(renderHba(settings, []), whole('host all all all scram-sha-256'));
  assert.equal(renderHba(settings, ['hostssl all all all md5']), whole('hostssl all all all md5'));
});

test('a server that is closed to clients lets in members only, and says so to its own sessions', () => {
  const open = renderHba(settings, ['host all app all trust']);
  const closed = renderClosedHba(settings);
  assert.deepEqual(
    [isClosedHba(open), isClosedHba(closed), isClosedHba('host all all all trust')],
    [false, true, false],
  );
  const lines = closed.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  assert.deepEqual(lines.slice(0, 4), open.split('\n').slice(1, 5), 'who makes the members equal, as ever');
  assert.deepEqual(lines.slice(4), [
    'local all all reject',
    'host all all all reject',
    'local replication all reject',
    'host replication all all reject',
  ]);
  const parameters = { 'matriarch.admits': 'members' };
  const told = (isClosed: boolean) =>
    settingsOf(renderPostgresqlConf(anInput({ isClosed, parameters }))).get('matriarch.admits');
  assert.deepEqual([told(true), told(false)], ["'members'", undefined]);
});

test('where the agent sees to durability PostgreSQL does not restart by itself, which would show what no standby has', () => {
  const parameters = { restart_after_crash: true };
  const conf = (synchronousStandbyNames: string | undefined) =>
    renderPostgresqlConf(anInput({ synchronousStandbyNames, parameters }));
  const texts = [conf(undefined), conf('ANY 1 ("b")'), conf('')];
  assert.deepEqual(
    texts.map((text) => settingsOf(text).get('restart_after_crash')),
    ['on', 'off', 'off'],
  );
  assert.deepEqual(
    [isDurable(conf(undefined)), isDurable(conf('')), isDurable('restart_after_crash = off\n')],
    [false, true, false],
  );
  const auto = "restart_after_crash = 'on'\nwork_mem = '4MB'\nmatriarch.admits = 'all'\n";
  assert.equal(cleanAutoConf(auto), "restart_after_crash = 'on'\nwork_mem = '4MB'\n");
  assert.equal(cleanAutoConf(auto, true), "work_mem = '4MB'\n");
});

test('the password file escapes colons and backslashes', () => {
  assert.equal(
    renderPassFile(settings),
    "*:*:*:replicator:repl'ica\\\\tion\\:1\n*:*:*:rewind_user:re'wind\\\\\\:1\n",
  );
});

test('ALTER SYSTEM keeps its settings, but those that only the agent decides', () => {
  const auto =
    "# kept\nwork_mem = '5MB'\nport = '1'\nPrimary_ConnInfo = 'host=evil'\nrecovery_target_xid = '7'\n";
  assert.equal(cleanAutoConf(auto), "# kept\nwork_mem = '5MB'\n");
});

test('a connection string quotes what libpq would take apart', () => {
  assert.equal(renderConnInfo({ host: 'a b', user: `o'x\\y` }), `host='a b' user='o\\'x\\\\y'`);
});
