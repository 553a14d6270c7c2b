/**
 * The half of the REST API that changes something: Patroni's requests, texts and codes. A request is answered when it
 * is done, not when it is taken in; what it waits for has a deadline. Any member takes a change of leader.
 */
import type { Context, Hono } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { failure, isRecord, parseJson, rethrowBug } from '../base/index.ts';
import { isPaused } from '../topology/index.ts';
import { changeLeader, dropSchedule } from './change-of-leader.ts';
import type { AgentContext } from './context.ts';
import { answerFailsafe } from './failsafe-answer.ts';
import { giveOrder, type OrderEnd } from './orders.ts';
import { PLEDGED_MS_HEADER } from './peers.ts';
import { requestReload } from './reload.ts';
import { isoTime, type Refusal, parseRestart, patchConfig, type RestartWish } from './rest-requests.ts';
import { whyNoRestart } from './scheduled-restart.ts';

const CALL_MS = 2000;
const BODY_BYTES_MAX = 1024 * 1024;

/** A status and a text, as they are answered. */
export interface Answer {
  readonly status: ContentfulStatusCode;
  readonly text: string;
}

type Body = Readonly<Record<string, unknown>>;

/** Adds the changing requests; who may make them is checked by what runs before. */
export function addWriteRoutes(app: Hono, ctx: AgentContext): void {
  app.patch('/config', async (c) => withBody(c, 'needed', (body) => patch(ctx, c, body)));
  app.put('/config', async (c) => withBody(c, 'needed', (body) => replace(ctx, c, body)));
  app.post('/reload', (c) => {
    requestReload(ctx);
    return c.text('reload scheduled', 202);
  });
  app.post('/restart', async (c) =>
    withBody(c, 'optional', async (body) => told(c, await restart(ctx, body))),
  );
  app.delete('/restart', (c) => told(c, dropScheduledRestart(ctx)));
  app.post('/reinitialize', async (c) =>
    withBody(c, 'optional', async (body) => told(c, await reinitialize(ctx, body['force'] === true))),
  );
  for (const action of ['switchover', 'failover'] as const) {
    app.post(`/${action}`, async (c) =>
      withBody(c, 'needed', async (body) => told(c, await changeLeader(ctx, action, body))),
    );
  }
  app.post('/failsafe', async (c) =>
    withBody(c, 'needed', async (body) => {
      const { status, text, forMs } = answerFailsafe(ctx, body);
      const headers = forMs === undefined ? {} : { [PLEDGED_MS_HEADER]: String(forMs) };
      return await Promise.resolve(c.text(text, status, headers));
    }),
  );
  app.delete('/switchover', async (c) => told(c, await dropSchedule(ctx)));
}

const told = (c: Context, { status, text }: Answer): Response => c.text(text, status);

/** The body as an object: 411 without a length, 400 for anything but an object, or for an empty one that is needed. */
async function withBody(
  c: Context,
  need: 'needed' | 'optional',
  work: (body: Body) => Promise<Response>,
): Promise<Response> {
  const length = c.req.header('content-length');
  if (length === undefined && c.req.header('transfer-encoding') === undefined)
    return need === 'needed' ? c.body(null, 411) : await work({});
  if (Number(length ?? 0) > BODY_BYTES_MAX) return c.body(null, 413);
  const text = await c.req.text();
  if (text === '' && need === 'optional') return await work({});
  const body = text.length > BODY_BYTES_MAX ? undefined : parseJson(text);
  if (!isRecord(body) || (need === 'needed' && Object.keys(body).length === 0)) return c.body(null, 400);
  return await work(body);
}

async function patch(ctx: AgentContext, c: Context, body: Body): Promise<Response> {
  const { dcs, layout, wake } = ctx;
  const entry = await dcs.get(layout.config, { timeoutMs: CALL_MS });
  const before = entry === undefined ? undefined : parseJson(entry.value);
  if (entry === undefined || !isRecord(before)) return c.body(null, 503);
  const after = patchConfig(before, body);
  if (after !== before) {
    const { outcome } = await dcs.transact(
      {
        when: [{ key: layout.config, is: 'mod-revision', modRevision: entry.modRevision }],
        then: [{ op: 'put', key: layout.config, value: JSON.stringify(after) }],
      },
      { timeoutMs: CALL_MS },
    );
    if (outcome === 'refused') return c.body(null, 409);
    ctx.log.info('configuration-changed', { by: 'PATCH /config', keys: Object.keys(body) });
  }
  wake.now();
  return c.json(after);
}

async function replace(ctx: AgentContext, c: Context, body: Body): Promise<Response> {
  const { dcs, layout, wake, log } = ctx;
  try {
    await dcs.transact(
      { when: [], then: [{ op: 'put', key: layout.config, value: JSON.stringify(body) }] },
      { timeoutMs: CALL_MS },
    );
  } catch (cause) {
    rethrowBug(cause);
    log.warn('configuration-not-written', failure(cause));
    return c.body(null, 502);
  }
  log.info('configuration-changed', { by: 'PUT /config', keys: Object.keys(body) });
  wake.now();
  return c.json(body);
}

const refusal = ({ status, text }: Refusal): Answer => ({ status, text });

async function restart(ctx: AgentContext, body: Body): Promise<Answer> {
  const { state, clock } = ctx;
  if (isPaused(state.view) && 'schedule' in body)
    return { status: 500, text: "Can't schedule restart in the paused state" };
  const parsed = parseRestart(body, clock.wallNow());
  if ('refused' in parsed) return refusal(parsed.refused);
  if (parsed.ok.at !== undefined) return schedule(ctx, parsed.ok, parsed.ok.at);
  const because = whyNoRestart(ctx, parsed.ok);
  if (because !== undefined) {
    ctx.log.info('restart-refused', { because });
    return { status: 503, text: 'restart conditions are not satisfied' };
  }
  const busy = inProgress(ctx);
  if (busy !== undefined) return busy;
  const order = await giveOrder(ctx, 'restart', parsed.ok.startMs);
  return RESTARTED[(await order?.ended.promise) ?? 'failed'];
}

const RESTARTED: Readonly<Record<OrderEnd, Answer>> = {
  done: { status: 200, text: 'restarted successfully' },
  'still-starting': { status: 503, text: 'postgres is still starting' },
  failed: { status: 503, text: 'restart failed' },
};

function schedule(ctx: AgentContext, wish: RestartWish, at: number): Answer {
  const { state, wake } = ctx;
  if (state.scheduledRestart !== undefined)
    return { status: 409, text: 'Another restart is already scheduled' };
  const startedAt = state.status?.postmasterStartTime;
  state.scheduledRestart = {
    ...wish,
    at,
    json: {
      ...wish.json,
      schedule: isoTime(at),
      ...(startedAt === undefined ? {} : { postmaster_start_time: startedAt }),
    },
  };
  wake.now();
  return { status: 202, text: 'Restart scheduled' };
}

function dropScheduledRestart({ state, wake }: AgentContext): Answer {
  if (state.scheduledRestart === undefined) return { status: 404, text: 'no restarts are scheduled' };
  state.scheduledRestart = undefined;
  wake.now();
  return { status: 200, text: 'scheduled restart deleted' };
}

async function reinitialize(ctx: AgentContext, isForced: boolean): Promise<Answer> {
  const { state, keeper, jobs, config } = ctx;
  if (keeper.isHolder || state.view.leader === config.name)
    return { status: 503, text: 'I am the leader, can not reinitialize' };
  if (state.view.leader === undefined)
    return { status: 503, text: 'Cluster has no leader, can not reinitialize' };
  if (isForced && (jobs.running === 'clone' || jobs.running === 'rejoin' || jobs.running === 'reinit')) {
    jobs.abandon('a fresh copy was asked for');
    await jobs.idle();
  }
  const busy = inProgress(ctx);
  if (busy !== undefined) return busy;
  const order = await giveOrder(ctx, 'reinit');
  return order === undefined
    ? { status: 503, text: 'the leader is no running primary, can not reinitialize' }
    : { status: 200, text: 'reinitialize started' };
}

/** Another order or a job of this member has to end first. */
function inProgress({ state, jobs }: AgentContext): Answer | undefined {
  const kind = state.order?.kind ?? jobs.running;
  if (kind === undefined) return undefined;
  const isCopy = kind === 'reinit' || kind === 'clone';
  return { status: 503, text: `${isCopy ? 'reinitialize' : kind} already in progress` };
}
