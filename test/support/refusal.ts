/** A router that does not start: what it says. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { MatriarchError, silentLog, systemClock } from '../../src/base/index.ts';
import { startRouter } from '../../src/router/index.ts';
import { freshLoopback } from './loopback.ts';
import { routerConfig } from './router.ts';

/** How a router with these lines refuses to start. */
export async function refusalOf(t: TestContext, lines: string[]): Promise<string> {
  const config = routerConfig({ etcdUrls: ['http://127.0.0.1:1'] }, freshLoopback(), lines);
  const { createMemoryDcs } = await import('../../src/dcs/index.ts');
  const store = createMemoryDcs({ clock: systemClock });
  t.after(() => store.close());
  const options = { config, dcs: store.connect(), clock: systemClock, log: silentLog };
  try {
    await startRouter({ ...options, signal: new AbortController().signal });
  } catch (cause) {
    assert(cause instanceof MatriarchError);
    return `${cause.code}: ${cause.message}`;
  }
  return 'it started';
}
