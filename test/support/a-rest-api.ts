/** The REST API of one agent, over a store in memory and a PostgreSQL that only pretends, on a real port. */
import type { TestContext } from 'node:test';
import { restApi } from '../../src/agent/rest.ts';
import { serverTls } from '../../src/agent/rest-tls.ts';
import type { RestapiConfig } from '../../src/config/index.ts';
import { listenHttp } from '../../src/metrics/index.ts';
import { type AnAgent, anAgent } from './an-agent.ts';

export type RestSettings = Partial<RestapiConfig>;

export function sectionOf(settings: RestSettings): RestapiConfig {
  return {
    listen: { host: '127.0.0.1', port: 0 },
    verify_client: 'none',
    allowlist: [],
    allowlist_include_members: false,
    ...settings,
  };
}

export async function rest(
  t: TestContext,
  settings: RestSettings,
): Promise<{ readonly url: string; readonly agent: AnAgent }> {
  const agent = await anAgent(t);
  agent.ctx.restapi = sectionOf(settings);
  const tls = await serverTls(agent.ctx.restapi);
  const http = await listenHttp(
    restApi(agent.ctx),
    { address: agent.ctx.restapi.listen, what: 'REST API' },
    tls,
  );
  t.after(async () => await http.close());
  const address = http.server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return { url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}/patroni`, agent };
}
