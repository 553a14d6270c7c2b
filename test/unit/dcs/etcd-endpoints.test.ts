/** Which etcd member is tried first, and when one that failed is tried again. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Endpoints } from '../../../src/dcs/etcd-endpoints.ts';
import { recordingLog } from '../../support/recording-log.ts';

function setUp(t: TestContext) {
  let now = 1000;
  const { log, lines } = recordingLog();
  const urls = ['http://127.0.0.1:1', 'http://127.0.0.1:2', 'http://127.0.0.1:3'];
  const endpoints = new Endpoints(urls, { clock: { now: () => now, wallNow: () => now }, log });
  t.after(async () => await endpoints.close());
  const [a, b, c] = endpoints.all;
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  const order = (): string =>
    endpoints
      .inOrder()
      .map((endpoint) => endpoint.url.slice(-1))
      .join('');
  const pass = (ms: number): void => {
    now += ms;
  };
  return { endpoints, a, b, c, order, pass, events: () => lines.map((line) => line.event) };
}

test('the first is used as long as it answers; an answer of another does not change that', (t) => {
  const { endpoints, a, b, order } = setUp(t);
  assert.equal(order(), '123');
  endpoints.answered(b);
  endpoints.answered(a);
  assert.equal(order(), '123');
});

test('one that fails goes to the end, and the one that answers instead is used from then on', (t) => {
  const { endpoints, a, b, c, order, pass } = setUp(t);
  endpoints.failed(a, 'timeout');
  assert.equal(order(), '231');
  endpoints.answered(b);
  pass(1001);
  assert.equal(order(), '231');
  endpoints.failed(b, 'timeout');
  endpoints.failed(c, 'timeout');
  assert.equal(order(), '123');
});

test('when all fail, the one whose suspicion ends first is tried first', (t) => {
  const { endpoints, a, b, c, order, pass } = setUp(t);
  endpoints.failed(c, 'timeout');
  pass(100);
  endpoints.failed(b, 'timeout');
  pass(100);
  endpoints.failed(a, 'timeout');
  assert.equal(order(), '321');
});

test('suspicion doubles each time, not with each of many calls, has a limit, and ends with an answer', (t) => {
  const { endpoints, a, pass, events } = setUp(t);
  const lasts = (): number => {
    let ms = 0;
    for (; endpoints.isSuspect(a); ms += 500) pass(500);
    return ms;
  };
  const durations = Array.from({ length: 7 }, () => {
    endpoints.failed(a, 'timeout');
    return lasts();
  });
  assert.deepEqual(durations, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  endpoints.answered(a);
  for (let call = 0; call < 5; call += 1) endpoints.failed(a, 'timeout');
  assert.equal(lasts(), 1000);
  assert.deepEqual(events(), ['dcs-endpoint-suspect', 'dcs-endpoint-answers', 'dcs-endpoint-suspect']);
});

test('the first is a place to return to, once it is no longer suspect', (t) => {
  const { endpoints, a, b, pass } = setUp(t);
  assert.equal(endpoints.homeToTry(), undefined);
  endpoints.failed(a, 'timeout');
  endpoints.answered(b);
  assert.equal(endpoints.homeToTry(), undefined);
  pass(1001);
  assert.equal(endpoints.homeToTry(), a);
  endpoints.prefer(a);
  assert.equal(endpoints.homeToTry(), undefined);
});
