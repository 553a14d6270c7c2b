/**
 * What an operator asks of this member alone, from the asking to the end: put before the loop, which decides whether it
 * can be carried out now (ha/orders.ts), begun by act.ts, told to who waits for it. One at a time; one that the loop
 * cannot begin is withdrawn, so that it cannot surprise anyone later.
 */
import { type Deferred, deferred, pause } from '../base/index.ts';
import type { Order } from '../ha/index.ts';
import type { AgentContext } from './context.ts';

/** How long an order may wait for the loop to begin it. */
const BEGIN_MS = 5000;

/** `still-starting`: PostgreSQL was started and takes no connections yet. */
export type OrderEnd = 'done' | 'still-starting' | 'failed';

export interface PendingOrder {
  readonly kind: Order;
  /** How long PostgreSQL may take to start; undefined: as usual. */
  readonly startMs: number | undefined;
  readonly begun: Deferred<void>;
  readonly ended: Deferred<OrderEnd>;
}

/** Puts an order before the loop; it comes back once it is begun. Undefined when another one waits already, or the loop does not begin it in time. */
export async function giveOrder(
  ctx: AgentContext,
  kind: Order,
  startMs?: number,
): Promise<PendingOrder | undefined> {
  const { state, wake, timers } = ctx;
  if (state.order !== undefined) return undefined;
  const order: PendingOrder = { kind, startMs, begun: deferred(), ended: deferred() };
  state.order = order;
  wake.now();
  const waiting = new AbortController();
  await Promise.race([order.begun.promise, pause(BEGIN_MS, waiting.signal, timers)]);
  waiting.abort();
  if (state.order !== order) return order;
  state.order = undefined;
  return undefined;
}

/** Takes the order for a job that begins, and tells its end; `work` gives what came of it. */
export async function carryOut(
  order: PendingOrder | undefined,
  work: () => Promise<OrderEnd>,
): Promise<void> {
  order?.begun.resolve();
  try {
    const end = await work();
    order?.ended.resolve(end);
  } catch (cause) {
    order?.ended.resolve('failed');
    throw cause;
  }
}
