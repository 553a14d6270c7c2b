/** Files of `conf.d`: confd's own are taken, what is wrong has its place; and what is enough to replace a file by. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromText } from '../../../src/template/go/bytes.ts';
import { commandLine } from '../../../src/template/resource/command.ts';
import {
  type ParsedResource,
  parseResource,
  type Resource,
} from '../../../src/template/resource/resource.ts';
import { backendKeys, isWanted, judge, prefixOf } from '../../../src/template/resource/snapshot.ts';

test("confd's documented resource is read as confd reads it", () => {
  const resource = taken(
    parseResource(
      'nginx',
      `[template]
src = "nginx.conf.tmpl"
dest = "/etc/nginx/nginx.conf"
uid = 0
gid = 33
mode = "0644"
prefix = "production"
keys = [
  "/nginx",
  "app/upstream/",
]
check_cmd = "/usr/sbin/nginx -t -c {{.src}}"
reload_cmd = "/usr/sbin/service nginx restart"
`,
    ),
  );
  assert.deepEqual(resource, {
    name: 'nginx',
    src: 'nginx.conf.tmpl',
    dest: '/etc/nginx/nginx.conf',
    keys: ['/nginx', '/app/upstream'],
    prefix: '/production',
    owner: 0,
    group: 33,
    mode: 0o644,
    checkCommand: '/usr/sbin/nginx -t -c {{.src}}',
    reloadCommand: '/usr/sbin/service nginx restart',
    checkTimeoutMs: 30_000,
    reloadTimeoutMs: 60_000,
    minKeys: 1,
    minMembers: 1,
    require: [],
    debounceMs: 200,
    maxWaitMs: 5_000,
  });
});

test('what confd has not: names of owners, bounds, patience, and what must be there', () => {
  const resource = taken(
    parseResource(
      'r',
      `# a comment
[template]
src = "sub/r.tmpl"
dest = "/tmp/r"
owner = "postgres"
group = "ssl-cert"
mode = "0600"
keys = ["members", "leader"]
min_keys = 3
require = ["/members/*", "leader"]
check_timeout = "5s"
reload_timeout = "2m"
debounce = "50ms"
max_wait = "1s"
`,
    ),
  );
  const { owner, group, mode, minKeys, require, checkTimeoutMs, reloadTimeoutMs, debounceMs, maxWaitMs } =
    resource;
  assert.deepEqual(
    { owner, group, mode, minKeys, require, checkTimeoutMs, reloadTimeoutMs, debounceMs, maxWaitMs },
    {
      owner: 'postgres',
      group: 'ssl-cert',
      mode: 0o600,
      minKeys: 3,
      require: ['/members/*', '/leader'],
      checkTimeoutMs: 5_000,
      reloadTimeoutMs: 120_000,
      debounceMs: 50,
      maxWaitMs: 1_000,
    },
  );
});

test('a resource without keys needs none', () => {
  assert.equal(taken(parseResource('r', '[template]\nsrc = "a"\ndest = "/b"\n')).minKeys, 0);
});

test('everything that is wrong is said at once, with its place', () => {
  const problems = refused(
    parseResource(
      'r',
      `[other]
mode = "0600"

[template]
  src = "../../etc/passwd"
mode = "644"
keys = "/a"
uid = -1
check_cmd = "test {{.src"
debounce = "soon"
`,
    ),
  );
  assert.deepEqual(problems, [
    '4:1 dest is missing',
    '5:3 src must be a file in the folder of templates',
    '6:1 mode must be permissions in octal with a leading zero, such as "0644"',
    '7:1 keys must be a list of texts',
    '8:1 uid must be a number from 0',
    '9:1 check_cmd must be a command in which only {{.src}} and {{.dest}} are filled in',
    '10:1 debounce must be a duration such as "500ms", "2s" or "1m"',
  ]);
});

test('a path that is not absolute is no destination', () => {
  assert.deepEqual(refused(parseResource('r', '[template]\nsrc = "a"\ndest = "b"\n')), [
    '3:1 dest must be an absolute path',
  ]);
});

test('broken TOML has its place', () => {
  const [problem = ''] = refused(parseResource('r', '[template]\nsrc = "a\n'));
  assert.match(problem, /^2:\d+  not valid TOML: /);
  assert.deepEqual(refused(parseResource('r', 'src = "a"\n')), ['1:1 template there is no table [template]']);
});

test('what does nothing is told, and taken', () => {
  const parsed = parseResource(
    'r',
    '[template]\nsrc = "a"\ndest = "/b"\nuid = 0\nowner = "root"\nreload = "x"\n',
  );
  assert.ok(parsed.outcome === 'ok');
  assert.deepEqual(
    parsed.warnings.map(({ line, key, message }) => `${line} ${key} ${message}`),
    ['6 reload is not known and does nothing', '5 owner does nothing beside uid'],
  );
});

test('a prefix for all replaces the one of the resource, and stands before each key', () => {
  const resource = aResource({ prefix: '/own', keys: ['/a', '/'] });
  assert.equal(prefixOf(resource, ''), '/own');
  assert.equal(prefixOf(resource, '/'), '/own');
  assert.equal(prefixOf(resource, 'all/of/it/'), '/all/of/it');
  assert.deepEqual(backendKeys(resource, ''), ['/own/a', '/own']);
  assert.deepEqual(backendKeys(aResource({ prefix: '/', keys: ['/a', '/'] }), ''), ['/a', '/']);
});

test('a folder wants what is in it, and not what only begins like it', () => {
  assert.deepEqual(
    ['/pg', '/pg/x', '/pgother', '/pg/'].map((key) => isWanted(['/pg'], key)),
    [true, true, false, true],
  );
  assert.ok(isWanted(['/'], '/anything'));
});

test('a snapshot becomes a store without the prefix', () => {
  const judged = judge(
    snapshot({ '/own/a/1': 'x', '/own/b': 'y', '/else': 'z' }),
    aResource({ prefix: '/own', keys: ['/a'] }),
    '',
  );
  assert.ok(judged.outcome === 'enough');
  assert.equal(judged.store.get('/a/1'), 'x');
  assert.ok(!judged.store.has('/b') && !judged.store.has('/else'));
});

test('a vanished prefix, an empty list of members or half of one is not enough', () => {
  const resource = aResource({
    keys: ['/members', '/leader'],
    minKeys: 3,
    require: ['/leader', '/members/*'],
  });
  const because = (pairs: Record<string, string>): string => {
    const judged = judge(snapshot(pairs), resource, '');
    return judged.outcome === 'enough' ? 'enough' : `${judged.because}: ${judged.message}`;
  };
  assert.equal(because({}), 'too-few-keys: 0 of at least 3 keys are there');
  assert.equal(because({ '/members/a': '', '/leader': 'a' }), 'too-few-keys: 2 of at least 3 keys are there');
  assert.equal(
    because({ '/members/a': '', '/members/b': '', '/members/c': '' }),
    'required-key-missing: no key matches /leader',
  );
  assert.equal(because({ '/members/a': '', '/members/b': '', '/leader': 'a' }), 'enough');
});

test('a command has the paths filled in, and nothing else', () => {
  const paths = { src: '/etc/.é.staged', dest: '/etc/é' };
  assert.equal(commandLine('check -c {{.src}} {{.dest}}', paths), 'check -c /etc/.é.staged /etc/é');
  assert.equal(commandLine('true', paths), 'true');
  assert.equal(commandLine('{{if .src}}{{printf "%q" .src}}{{end}}', { ...paths, src: '/a b' }), '"/a b"');
});

function aResource(different: Partial<Resource>): Resource {
  return { ...taken(parseResource('r', '[template]\nsrc = "a"\ndest = "/b"\nkeys = ["/"]\n')), ...different };
}

function snapshot(pairs: Readonly<Record<string, string>>): { revision: string; pairs: Map<string, string> } {
  const entries = Object.entries(pairs).map(([key, value]): [string, string] => [
    fromText(key),
    fromText(value),
  ]);
  return { revision: '7', pairs: new Map(entries) };
}

function taken(parsed: ParsedResource): Resource {
  assert.ok(parsed.outcome === 'ok', JSON.stringify(parsed));
  return parsed.resource;
}

function refused(parsed: ParsedResource): string[] {
  assert.ok(parsed.outcome === 'problems');
  return parsed.problems.map(({ line, column, key, message }) => `${line}:${column} ${key} ${message}`);
}
