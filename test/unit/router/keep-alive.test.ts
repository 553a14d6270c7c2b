/** How the settings of TCP's keep-alive reach Node's sockets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkConfig } from '../../../src/config/index.ts';
import { keepAliveOf } from '../../../src/router/keep-alive.ts';

test('sockets ask idle peers as tcp_keepalive and tcp_keepidle say', () => {
  assert.deepEqual(of('{}'), { keepAlive: true, keepAliveInitialDelay: 0 });
  assert.deepEqual(of('{ tcp_keepalive: false }'), { keepAlive: false, keepAliveInitialDelay: 0 });
  assert.deepEqual(of('{ tcp_keepidle: 30s }'), { keepAlive: true, keepAliveInitialDelay: 30_000 });
});

function of(router: string): ReturnType<typeof keepAliveOf> {
  const text = `scope: a\nname: b\ndatacenter: c\nnodes: [{ name: n, address: "h:1" }]\nrouter: ${router}\n`;
  const loaded = checkConfig(text, {}, 'router');
  assert(loaded.outcome === 'ok', JSON.stringify(loaded));
  return keepAliveOf(loaded.config.router);
}
