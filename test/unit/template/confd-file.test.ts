/** confd's own settings file. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { confdArguments } from '../../../src/cli/template-settings.ts';
import { readConfdFile } from '../../../src/template/index.ts';

test('all that confd documents is taken over or named', () => {
  const text = `backend = "etcdv3"
client_cakeys = "/etc/confd/ssl/ca.crt"
client_cert = ""
confdir = "/etc/confd"
log-level = "debug"
interval = 600
nodes = [ "10.1.0.2:2379", "http://10.2.0.2:2379" ]
noop = false
prefix = "/production"
scheme = "https"
srv_domain = "etcd.example.com"
basic_auth = true
username = "confd"
password = "secret"
watch = true
sync-only = true
keep-stage-file = true
file = ["/a.yaml"]
`;
  assert.deepEqual(readConfdFile(text), {
    outcome: 'ok',
    idle: ['srv_domain'],
    settings: {
      backend: 'etcdv3',
      clientCaKeys: '/etc/confd/ssl/ca.crt',
      confdir: '/etc/confd',
      logLevel: 'debug',
      interval: 600_000,
      node: ['https://10.1.0.2:2379', 'http://10.2.0.2:2379'],
      noop: false,
      prefix: '/production',
      username: 'confd',
      password: 'secret',
      watch: true,
      syncOnly: true,
      keepStageFile: true,
      file: ['/a.yaml'],
    },
  });
});

test('a value of the wrong type is told with its place, and all of them at once', () => {
  assert.deepEqual(readConfdFile('noop = true\n  interval = "10m"\nnodes = "http://a:1"\n'), {
    outcome: 'problems',
    problems: [
      { line: 2, column: 3, key: 'interval', message: 'expected a whole number of seconds' },
      { line: 3, column: 1, key: 'nodes', message: 'expected a list of strings' },
    ],
  });
  const broken = readConfdFile('noop = \n');
  assert.equal(broken.outcome === 'problems' ? broken.problems[0]?.line : undefined, 1);
});

test('flags with one dash are confd’s, for this command alone', () => {
  const given = ['template', '-onetime', '-log-level=debug', '-V', '--noop', '-node', 'http://a:1', '-'];
  const taken = ['template', '--onetime', '--log-level=debug', '-V', '--noop', '--node', 'http://a:1', '-'];
  assert.deepEqual(confdArguments(given), taken);
  assert.deepEqual(confdArguments(['status', '-onetime']), ['status', '-onetime']);
});
