/** Real files and real commands: what a resource says is done, and each fault leaves the file as it was. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { MatriarchError, pause } from '../../src/base/index.ts';
import { etcdBackend, fileBackend } from '../../src/template/shell/backend.ts';
import { replace } from '../../src/template/shell/destination.ts';
import { applyOnce, poll, watch } from '../../src/template/shell/watcher.ts';
import { eventually } from '../support/eventually.ts';
import { recordingLog } from '../support/recording-log.ts';
import { scratchFolder } from '../support/scratch.ts';
import { type TemplateHost, templateHost } from '../support/template-host.ts';

const WITHIN = { withinMs: 10_000 };
const TEMPLATE = '{{range gets "/m/*"}}{{.Key}}={{.Value}}\n{{end}}';
const KEYS = 'keys = ["/m"]\ndebounce = "20ms"\n';
/** Each reload leaves what the file was. */
const RELOAD = 'reload_cmd = "cat {{.dest}} >> FOLDER/reloads; echo -- >> FOLDER/reloads"\n';

test('once: the file is rendered, checked, replaced with its mode, and its reader reloaded; again, nothing is done', async (t) => {
  const host = await templateHost(t, {
    template: TEMPLATE,
    resource: `${KEYS}mode = "0640"\ncheck_cmd = "grep -q /m/b= {{.src}} && cp {{.src}} FOLDER/checked"\n${RELOAD}`,
  });
  await writeFile(host.path('keys.yaml'), 'm:\n  a: 1\n  b: [x, true]\n  c:\n    d: deep\n  n: null\n');
  const options = { ...host.options(), backend: fileBackend([host.path('keys.yaml')]) };
  // A folder below is no key of its own, and `*` does not look into it.
  await assert.rejects(applyOnce(options), {
    code: 'template-not-applied',
    message: /out\.conf: check-failed: exit status/,
  });
  await writeFile(host.path('keys.yaml'), 'm:\n  a: 1\n  b: 2.50\n');
  const [status] = await applyOnce(options);
  assert.equal(await host.read('out.conf'), '/m/a=1\n/m/b=2.5\n');
  assert.equal(await host.read('checked'), '/m/a=1\n/m/b=2.5\n');
  assert.equal(await host.read('reloads'), '/m/a=1\n/m/b=2.5\n--\n');
  assert.equal((await stat(host.path('out.conf'))).mode & 0o7777, 0o640);
  assert.deepEqual([status?.isReloadOwed, status?.trouble], [false, undefined]);
  await applyOnce(options);
  assert.equal((await host.read('reloads')).split('--').length, 2);
  assert.deepEqual(await staged(host), []);
});

test('a file keeps the mode that it has when its resource says none', async (t) => {
  const host = await templateHost(t, { template: 'new', resource: '' });
  await writeFile(host.path('out.conf'), 'old');
  await chmod(host.path('out.conf'), 0o604);
  await applyOnce({ ...host.options(), backend: etcdBackend(host.store) });
  assert.equal(await host.read('out.conf'), 'new');
  assert.equal((await stat(host.path('out.conf'))).mode & 0o7777, 0o604);
});

test('asked to change nothing, it shows what the file would be, and runs nothing', async (t) => {
  const host = await templateHost(t, { template: TEMPLATE, resource: `${KEYS}${RELOAD}` });
  await host.put('/m/a', '1');
  const shown: string[] = [];
  await applyOnce({
    ...host.options({ isNoop: true, onShow: ({ after }) => shown.push(after) }),
    backend: etcdBackend(host.store),
  });
  assert.deepEqual(shown, ['/m/a=1\n']);
  assert.deepEqual([await host.read('out.conf'), await host.read('reloads')], ['', '']);
});

test('synchronizing only, it runs no command', async (t) => {
  const host = await templateHost(t, {
    template: TEMPLATE,
    resource: `${KEYS}check_cmd = "false"\n${RELOAD}`,
  });
  await host.put('/m/a', '1');
  await applyOnce({ ...host.options({ isSyncOnly: true }), backend: etcdBackend(host.store) });
  assert.deepEqual([await host.read('out.conf'), await host.read('reloads')], ['/m/a=1\n', '']);
});

test('everything that is wrong in conf.d is told with its place, and nothing is changed', async (t) => {
  const host = await templateHost(t, { template: TEMPLATE, resource: 'mode = "644"\nkeys = 3' });
  await writeFile(host.path('conf.d/other.toml'), 'nonsense');
  const refused = await applyOnce({ ...host.options(), backend: etcdBackend(host.store) }).catch(
    (cause: unknown) => cause,
  );
  assert.ok(refused instanceof MatriarchError);
  assert.equal(refused.code, 'template-resource-invalid');
  assert.match(
    refused.message,
    /other\.toml:1:1: not valid TOML: .*\n.*out\.toml:4:1: mode must be .*\n.*out\.toml:5:1: keys must be /,
  );
});

test('a source that cannot be read is named', async (t) => {
  const host = await templateHost(t, { template: TEMPLATE });
  await writeFile(host.path('keys.yaml'), '[');
  const refused = applyOnce({ ...host.options(), backend: fileBackend([host.path('keys.yaml')]) });
  await assert.rejects(refused, { code: 'template-source-unreadable' });
  await assert.rejects(
    applyOnce({ ...host.options(), backend: fileBackend([host.path('nowhere')]) }),
    /cannot read .*nowhere: ENOENT/,
  );
});

test('of a folder, the files in it and below that the pattern names are read, the last one over the others', async (t) => {
  const host = await templateHost(t, { template: TEMPLATE, resource: KEYS });
  await mkdir(host.path('keys/deep'), { recursive: true });
  await writeFile(host.path('keys/a.yaml'), 'm: {a: 1, b: 1}');
  await writeFile(host.path('keys/deep/b.yaml'), 'm: {b: 2}');
  await writeFile(host.path('keys/notes.txt'), 'm: {a: 3}');
  await symlink(host.path('keys/deep'), host.path('keys/to-a-folder.yaml'));
  assert.equal(spawnSync('mkfifo', [host.path('keys/pipe.yaml')]).status, 0);
  await applyOnce({ ...host.options(), backend: fileBackend([host.path('keys')], '*.yaml') });
  assert.equal(await host.read('out.conf'), '/m/a=1\n/m/b=2\n');
  assert.throws(() => fileBackend([host.path('keys')], '[a'), /--filter \[a: it is no pattern/);
});

test('a destination that is a folder is named as that', async (t) => {
  const host = await templateHost(t, { template: TEMPLATE, resource: KEYS });
  await mkdir(host.path('out.conf'));
  await writeFile(host.path('keys.yaml'), 'm: {a: 1}');
  await assert.rejects(
    applyOnce({ ...host.options(), backend: fileBackend([host.path('keys.yaml')]) }),
    /stage-failed: .*out\.conf is a folder; dest must name the file in it/,
  );
});

for (const [how, keep] of [
  ['read every so often', poll],
  ['followed', watch],
] as const)
  test(`a source that is ${how} is in the file soon; when it cannot be read, the file stays`, async (t) => {
    const host = await templateHost(t, { template: TEMPLATE, resource: `${KEYS}${RELOAD}` });
    const source = host.path('keys.json');
    await writeFile(source, '{"m": {"a": 1}}');
    const { log, lines } = recordingLog();
    const stop = new AbortController();
    const kept = keep(
      { ...host.options({ intervalMs: 50, log }), backend: fileBackend([source]) },
      stop.signal,
    );
    await reloaded(host, '/m/a=1\n');
    await rm(source);
    await eventually('told', () => lines.map(({ event }) => event), {
      holds: (events) => events.includes('backend-lost'),
      ...WITHIN,
    });
    assert.equal(await host.read('out.conf'), '/m/a=1\n');
    await writeFile(source, '{"m": {"a": 2}}');
    await reloaded(host, '/m/a=2\n');
    stop.abort();
    await kept;
  });

test('a change in the store is in the file soon, and a thousand of them are a handful of reloads', async (t) => {
  const host = await templateHost(t, {
    template: TEMPLATE,
    resource: `${KEYS}max_wait = "400ms"\n${RELOAD}`,
  });
  await host.put('/m/a', '0');
  await host.keep();
  await reloaded(host, '/m/a=0\n');
  for (let change = 1; change <= 1000; change += 1) {
    await host.put('/m/a', String(change));
    if (change % 10 === 0) await pause(10);
  }
  await reloaded(host, '/m/a=1000\n');
  const reloads = (await host.read('reloads')).split('--\n').length - 1;
  assert.ok(reloads >= 2 && reloads <= 20, `${reloads} reloads`);
});

test('a vanished prefix or half of one leaves the file; when it is back, changes are applied again', async (t) => {
  const host = await templateHost(t, {
    template: TEMPLATE,
    resource: `${KEYS}min_keys = 2\nrequire = ["/m/a"]\n${RELOAD}`,
  });
  for (const name of ['a', 'b', 'c']) await host.put(`/m/${name}`, '1');
  const { keeper } = await host.keep();
  const whole = '/m/a=1\n/m/b=1\n/m/c=1\n';
  await reloaded(host, whole);
  await host.remove('/m/a');
  await trouble(keeper, 'required-key-missing');
  for (const name of ['b', 'c']) await host.remove(`/m/${name}`);
  await trouble(keeper, 'too-few-keys');
  assert.equal(await host.read('out.conf'), whole);
  await host.put('/m/a', '2');
  await host.put('/m/b', '2');
  await reloaded(host, '/m/a=2\n/m/b=2\n');
});

test('without the store the file stays, and what changed meanwhile is applied when it is back', async (t) => {
  const host = await templateHost(t, { template: TEMPLATE, resource: `${KEYS}${RELOAD}` });
  await host.put('/m/a', '1');
  const { keeper } = await host.keep();
  await reloaded(host, '/m/a=1\n');
  host.store.setFault('cut');
  await trouble(keeper, 'store-lost');
  await host.put('/m/a', '2');
  assert.equal(await host.read('out.conf'), '/m/a=1\n');
  host.store.setFault('none');
  await reloaded(host, '/m/a=2\n');
});

test('a check that fails leaves the file and removes what was staged', async (t) => {
  const host = await templateHost(t, {
    template: TEMPLATE,
    resource: `${KEYS}check_cmd = "echo line 1: no such thing >&2; ! grep -q bad {{.src}}"\n`,
  });
  await host.put('/m/a', 'good');
  const { log, lines } = recordingLog();
  const { keeper } = await host.keep(log);
  await content(host, '/m/a=good\n');
  await host.put('/m/a', 'bad');
  await trouble(keeper, 'check-failed');
  await eventually('nothing staged', async () => await staged(host), {
    holds: (names) => names.length === 0,
    ...WITHIN,
  });
  assert.equal(await host.read('out.conf'), '/m/a=good\n');
  const told = lines.find(({ event }) => event === 'file-not-applied');
  assert.equal(told?.fields['message'], 'exit status 1: line 1: no such thing');
  await host.put('/m/a', 'better');
  await content(host, '/m/a=better\n');
});

test('a template that fails leaves the file, and says where', async (t) => {
  const host = await templateHost(t, { template: 'x {{getv "/m/a" | atoi}}', resource: KEYS });
  await host.put('/m/a', '1');
  const { keeper } = await host.keep();
  await content(host, 'x 1');
  await host.put('/m/a', 'one');
  const message = await trouble(keeper, 'template-failed');
  assert.match(message, /^template: out\.tmpl:1:18: .* error calling atoi: /);
  assert.equal(await host.read('out.conf'), 'x 1');
});

test('a reload that fails three times and hangs once is made up for, and the hanging one is ended with all it started', async (t) => {
  const host = await templateHost(t, {
    template: TEMPLATE,
    resource: `${KEYS}reload_timeout = "800ms"\nreload_cmd = "sh FOLDER/reload.sh"\n`,
  });
  await writeFile(
    host.path('reload.sh'),
    `n=$(cat ${host.path('n')} 2>/dev/null || echo 0); n=$((n+1)); echo $n > ${host.path('n')}
[ $n -le 3 ] && exit 3
[ $n -eq 4 ] && { sleep 1234.5 & echo $! > ${host.path('sleeper')}; wait; }
cp ${host.path('out.conf')} ${host.path('reloads')}\n`,
  );
  await host.put('/m/a', '1');
  await host.keep();
  await eventually('reloaded', async () => await host.read('reloads'), {
    holds: (text) => text === '/m/a=1\n',
    ...WITHIN,
  });
  // One more where the machine is so busy that a good one is late.
  assert.ok(Number(await host.read('n')) >= 5);
  const sleeper = Number(await host.read('sleeper'));
  await eventually('the sleeper is gone', () => spawnSync('kill', ['-0', String(sleeper)]).status, {
    holds: (exit) => exit !== 0,
    ...WITHIN,
  });
});

test('a reload that is owed is made up for after a new start, though the file is right', async (t) => {
  const host = await templateHost(t, {
    template: TEMPLATE,
    resource: `${KEYS}reload_cmd = "test -e FOLDER/ready && cp {{.dest}} FOLDER/reloads"\n`,
  });
  await host.put('/m/a', '1');
  const first = await host.keep();
  await trouble(first.keeper, 'reload-failed');
  await first.end();
  assert.deepEqual([await host.read('out.conf'), await host.read('reloads')], ['/m/a=1\n', '']);
  await writeFile(host.path('ready'), '');
  await host.keep();
  await eventually('reloaded', async () => await host.read('reloads'), {
    holds: (text) => text === '/m/a=1\n',
    ...WITHIN,
  });
});

test('a destination that cannot be written is told, and no reader is reloaded', async (t) => {
  const missing = await templateHost(t, { template: 'x', dest: 'no/such/folder/out.conf', resource: RELOAD });
  await trouble((await missing.keep()).keeper, 'stage-failed');
  const folder = await templateHost(t, { template: 'x', dest: 'folder', resource: RELOAD });
  await mkdir(folder.path('folder'));
  const { keeper } = await folder.keep();
  await eventually('refused', () => keeper.status.trouble?.because, {
    holds: (seen) => seen !== undefined,
    ...WITHIN,
  });
  assert.deepEqual([await missing.read('reloads'), await folder.read('reloads')], ['', '']);
  assert.deepEqual(await staged(folder), []);
});

test('a disk that is full leaves the file, and it is replaced when there is room', async (t) => {
  const host = await templateHost(t, {
    template: `{{range seq 1 (atoi (getv "/m/kb"))}}${'x'.repeat(1023)}\n{{end}}`,
    dest: 'disk/out.conf',
    resource: KEYS,
  });
  await mkdir(host.path('disk'));
  if (!mounted('-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', host.path('disk')))
    return t.skip('a small file system cannot be mounted here');
  await host.put('/m/kb', '8');
  const { keeper, end } = await host.keep();
  await eventually('8 kB', async () => (await host.read('disk/out.conf')).length, {
    holds: (length) => length === 8192,
    ...WITHIN,
  });
  await host.put('/m/kb', '100');
  assert.match(await trouble(keeper, 'stage-failed'), /ENOSPC/);
  assert.equal((await host.read('disk/out.conf')).length, 8192);
  assert.deepEqual(await readdir(host.path('disk')), ['out.conf']);
  await host.put('/m/kb', '16');
  await eventually('16 kB', async () => (await host.read('disk/out.conf')).length, {
    holds: (length) => length === 16_384,
    ...WITHIN,
  });
  await end();
  assert.equal(spawnSync('umount', [host.path('disk')]).status, 0);
});

test('a file that is mounted by itself is overwritten; where the disk is full it stays as it was', async (t) => {
  const folder = await scratchFolder(t);
  const [disk, dest, fresh] = [join(folder, 'disk'), join(folder, 'dest'), join(folder, 'fresh')];
  await mkdir(disk);
  await writeFile(dest, '');
  if (!mounted('-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk))
    return t.skip('a small file system cannot be mounted here');
  try {
    await writeFile(join(disk, 'conf'), 'as it was');
    assert.ok(mounted('--bind', join(disk, 'conf'), dest));
    await writeFile(join(disk, 'fill'), Buffer.alloc(57_000));
    await writeFile(fresh, Buffer.alloc(32_768));
    await assert.rejects(replace(fresh, dest), /ENOSPC/);
    assert.equal(await readFile(dest, 'utf8'), 'as it was');
    await writeFile(fresh, 'new');
    await replace(fresh, dest);
    assert.equal(await readFile(join(disk, 'conf'), 'utf8'), 'new');
  } finally {
    for (const place of [dest, disk]) spawnSync('umount', [place]);
  }
});

const mounted = (...args: readonly string[]): boolean => spawnSync('mount', args).status === 0;

async function content(host: TemplateHost, wanted: string): Promise<void> {
  await eventually('the file', async () => await host.read('out.conf'), {
    holds: (text) => text === wanted,
    ...WITHIN,
  });
}

/** The last reload was for this content, and so is the file. */
async function reloaded(host: TemplateHost, wanted: string): Promise<void> {
  await eventually('a reload', async () => await host.read('reloads'), {
    holds: (text) => text.endsWith(`${wanted}--\n`),
    ...WITHIN,
  });
  assert.equal(await host.read('out.conf'), wanted);
}

async function trouble(
  keeper: {
    readonly status: { readonly trouble: { readonly because: string; readonly message: string } | undefined };
  },
  because: string,
): Promise<string> {
  const seen = await eventually(because, () => keeper.status.trouble, {
    holds: (now) => now?.because === because,
    ...WITHIN,
  });
  return seen?.message ?? '';
}

async function staged(host: TemplateHost): Promise<string[]> {
  return (await readdir(host.folder)).filter((name) => name.endsWith('.staged'));
}
