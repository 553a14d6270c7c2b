/** Files that follow the cluster: its keys are watched without being listed, and a cluster that vanishes empties nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyLayout } from '../../src/topology/index.ts';
import { etcdBackend } from '../../src/template/shell/backend.ts';
import { applyOnce, watch } from '../../src/template/shell/watcher.ts';
import { memberText } from '../support/a-view.ts';
import { eventually } from '../support/eventually.ts';
import { recordingLog } from '../support/recording-log.ts';
import { type TemplateHost, templateHost } from '../support/template-host.ts';

const layout = keyLayout('/service/', 'main');
const cluster = {
  name: 'main',
  layout,
  policy: { localDatacenter: 'dc2', weights: { local: 10, remote: 1 }, addresses: {} },
};

const TEMPLATE =
  '{{getv "/app/name"}} {{primary.Address}}{{range cluster.Members}} {{.Name}}={{weight .}}{{end}}\n';

async function threeMembers(host: TemplateHost): Promise<void> {
  await host.put(layout.leader, 'db-sib-01');
  for (const [index, name] of ['db-sib-01', 'db-sib-03', 'db-fsn-01'].entries())
    await host.put(
      layout.member(name),
      memberText(name, { role: index === 0 ? 'primary' : 'replica', tags: { datacenter: `dc${index + 1}` } }),
    );
}

test('a file follows the leader and the members, and stays as it is when they vanish', async (t) => {
  const host = await templateHost(t, {
    template: TEMPLATE,
    resource: 'keys = ["/app"]\ndebounce = "20ms"\nreload_cmd = "cat {{.dest}} >> FOLDER/reloads"',
  });
  await host.put('/app/name', 'shop');
  await threeMembers(host);
  const { log, lines } = recordingLog();
  const stop = new AbortController();
  const watching = watch(
    { ...host.options({ cluster, log }), backend: etcdBackend(host.store) },
    stop.signal,
  );
  const becomes = async (text: string): Promise<string> =>
    await eventually(text, async () => await host.read('out.conf'), {
      holds: (seen) => seen === text,
      withinMs: 10_000,
    });
  await becomes('shop 10.1.0.2:5432 db-fsn-01=1 db-sib-01=1 db-sib-03=10\n');
  // A new leader that has been promoted; the old one's key ends with its lease.
  await host.put(layout.leader, 'db-sib-03');
  await host.put(
    layout.member('db-sib-03'),
    memberText('db-sib-03', { role: 'primary', timeline: 3, tags: { datacenter: 'dc2' } }),
  );
  await host.remove(layout.member('db-sib-01'));
  const last = 'shop 10.2.0.2:5432 db-fsn-01=1 db-sib-03=10\n';
  await becomes(last);
  const told = async (because: string): Promise<unknown> =>
    await eventually(because, () => lines.filter(({ fields }) => fields['because'] === because), {
      holds: (seen) => seen.length > 0,
      withinMs: 10_000,
    });
  await host.remove(layout.leader);
  await told('template-failed');
  for (const name of ['db-sib-03', 'db-fsn-01']) await host.remove(layout.member(name));
  await told('too-few-members');
  stop.abort();
  await watching;
  assert.equal(await host.read('out.conf'), last);
});

test('a template that asks for a cluster of which nothing was said is told so', async (t) => {
  const host = await templateHost(t, { template: '{{datacenter}}' });
  await assert.rejects(applyOnce({ ...host.options(), backend: etcdBackend(host.store) }), {
    code: 'template-not-applied',
    message: /template: out\.tmpl:1:2: .*error calling datacenter: no cluster is named: give --scope/,
  });
});
