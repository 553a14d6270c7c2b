/** Samples as Prometheus text, the table they come from, and the server they are read from. */
import assert from 'node:assert/strict';
import { Agent, get } from 'node:http';
import { test } from 'node:test';
import { Hono } from 'hono';
import { deferred, withDeadline } from '../../../src/base/index.ts';
import {
  Histogram,
  listenHttp,
  METRICS,
  METRICS_CONTENT_TYPE,
  processSamples,
  renderMetrics,
} from '../../../src/metrics/index.ts';
import { freshLoopback } from '../../support/loopback.ts';

test('samples are rendered with help, type and labels, in the order in which they came', async () => {
  const text = await renderMetrics([
    { name: 'matriarch_agent_leader', value: 1 },
    { name: 'matriarch_router_errors_total', labels: { sqlstate: '57P01' }, value: 3 },
    { name: 'matriarch_router_errors_total', labels: { sqlstate: '08006' }, value: 0 },
  ]);
  assert.equal(
    text,
    `# HELP matriarch_agent_leader 1 while this member holds the leader key, else 0.
# TYPE matriarch_agent_leader gauge
matriarch_agent_leader 1

# HELP matriarch_router_errors_total Errors that the router itself sent to clients, by SQLSTATE.
# TYPE matriarch_router_errors_total counter
matriarch_router_errors_total{sqlstate="57P01"} 3
matriarch_router_errors_total{sqlstate="08006"} 0
`,
  );
});

test('a label that the table does not know is refused', async () => {
  await assert.rejects(renderMetrics([{ name: 'matriarch_agent_leader', labels: { user: 'x' }, value: 1 }]));
});

test('a histogram is rendered with cumulative buckets, sum and count', async () => {
  const histogram = new Histogram();
  for (const ms of [0.05, 0.2, 3, 3, 60_000]) histogram.observe(ms);
  const labels = { phase: 'queue', member: 'db"1\\', datacenter: 'dc1', role: 'read' };
  const text = await renderMetrics([
    { name: 'matriarch_router_phase_seconds', labels, value: histogram.counts() },
    { name: 'matriarch_agent_leader', value: 1 },
  ]);
  const written = 'phase="queue",member="db\\"1\\\\",datacenter="dc1",role="read"';
  const lines = text.split('\n');
  assert.ok(lines.includes('matriarch_agent_leader 1'));
  assert.ok(lines.includes('# TYPE matriarch_router_phase_seconds histogram'));
  const buckets = lines.filter((line) => line.startsWith('matriarch_router_phase_seconds_bucket'));
  assert.equal(buckets.length, 19);
  for (const [bound, count] of [
    ['0.00005', 1],
    ['0.00025', 2],
    ['0.0025', 2],
    ['0.005', 4],
    ['30', 4],
    ['+Inf', 5],
  ]) {
    const bucket = `matriarch_router_phase_seconds_bucket{le="${bound}",${written}} ${count}`;
    assert.ok(buckets.includes(bucket), bucket);
  }
  assert.ok(lines.includes(`matriarch_router_phase_seconds_sum{${written}} 60.00625`));
  assert.ok(lines.includes(`matriarch_router_phase_seconds_count{${written}} 5`));
});

test('a histogram without the labels of its row, or where a number belongs, is refused', async () => {
  const value = new Histogram().counts();
  await assert.rejects(renderMetrics([{ name: 'matriarch_router_phase_seconds', value }]), /has the labels/);
  await assert.rejects(renderMetrics([{ name: 'matriarch_agent_leader', value }]), /its row says gauge/);
  await assert.rejects(renderMetrics([{ name: 'matriarch_router_phase_seconds', value: 1 }]), /has a number/);
});

test('nothing sampled is an empty page', async () => {
  assert.equal((await renderMetrics([])).trim(), '');
});

test('names follow the rules of Prometheus: our prefix or Patroni’s, units last, _total for counters only', () => {
  for (const [name, { type }] of Object.entries(METRICS)) {
    assert.match(name, /^(matriarch|patroni)_[a-z][a-z0-9_]*[a-z0-9]$/);
    assert.equal(name.endsWith('_total'), type === 'counter', name);
  }
});

test('a process reports its build, memory, CPU and age', async () => {
  const text = await renderMetrics(processSamples('router', '1.2.3'));
  assert.match(text, /^matriarch_build_info\{version="1\.2\.3",role="router",node="v\d+\.\d+\.\d+"\} 1$/m);
  assert.match(text, /^matriarch_process_resident_memory_bytes \d{7,}$/m);
});

function hello(): Hono {
  return new Hono().get('/metrics', (context) =>
    context.text('here', 200, { 'content-type': METRICS_CONTENT_TYPE }),
  );
}

test('a second server on the same address is told that it is in use', async (t) => {
  const address = { host: freshLoopback(), port: 8009 };
  const first = await listenHttp(hello(), { address, what: 'the agent' });
  t.after(() => first.close());
  await assert.rejects(listenHttp(hello(), { address, what: 'the router' }), {
    code: 'address-in-use',
    message: `the router cannot listen on ${address.host}:8009`,
  });
});

test('an address of another host is told to be none of ours', async () => {
  await assert.rejects(
    listenHttp(hello(), { address: { host: '192.0.2.1', port: 8009 }, what: 'the agent' }),
    {
      code: 'address-not-available',
    },
  );
});

test('closing ends keep-alive connections, and the port is free afterwards', async (t) => {
  const address = { host: freshLoopback(), port: 8009 };
  const server = await listenHttp(hello(), { address, what: 'the agent' });
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const body = await new Promise<string>((resolve, reject) => {
    get({ ...address, path: '/metrics', agent }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });
  assert.equal(body, 'here');
  await withDeadline(server.close(), 500, 'the end of the server');
  await withDeadline(server.close(), 500, 'a second close');
  const again = await listenHttp(hello(), { address, what: 'the agent' });
  await again.close();
});

test('closing cuts an answer that does not come', async () => {
  const address = { host: freshLoopback(), port: 8009 };
  const asked = deferred();
  const app = new Hono().get('/', () => {
    asked.resolve();
    return deferred<Response>().promise;
  });
  const server = await listenHttp(app, { address, what: 'the agent' });
  const cut = deferred();
  get({ ...address, path: '/' }).on('error', () => cut.resolve());
  await withDeadline(asked.promise, 5000, 'the request');
  await withDeadline(server.close(), 5000, 'the end of the server');
  await withDeadline(cut.promise, 1000, 'the cut connection');
});
