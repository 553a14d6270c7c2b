/**
 * The key `sync` of the store: what is promised of acknowledged writes, by whom, and how the promise passes from leader to
 * leader. Every write of it is the leader's, and compares the revision that it was decided by.
 */
import { MatriarchError } from '../base/index.ts';
import { type KeyValue, unchanged } from '../dcs/index.ts';
import {
  type DurabilityMode,
  isSamePromise,
  NOTHING_REQUIRED,
  onlyLeader,
  type Promised,
  parsePromised,
  renderPromised,
  renderRequirement,
  type SyncStandby,
  wantedRequirement,
} from '../ha/index.ts';
import { type ClusterView, isTagSet } from '../topology/index.ts';
import type { AgentContext } from './context.ts';
import { standingOf } from './peers.ts';

const CALL_MS = 1000;

/** `synchronous_mode` and its companions, by Patroni's names. Every form of synchronous is a quorum here. */
export function durabilityModeOf(config: Readonly<Record<string, unknown>> | undefined): DurabilityMode {
  const {
    synchronous_mode: mode,
    synchronous_mode_strict: strict,
    synchronous_node_count: count,
  } = config ?? {};
  const isOn = mode === true || ['on', 'true', 'yes', 'quorum'].includes(String(mode).toLowerCase());
  if (!isOn) return { is: 'asynchronous' };
  const acks = typeof count === 'number' && Number.isSafeInteger(count) && count >= 1 ? count : 1;
  return { is: 'quorum', acks, isStrict: strict === true || String(strict).toLowerCase() === 'on' };
}

/** The key `sync`, and its revision; 0 where there is none. */
export interface SyncKey {
  readonly promised: Promised;
  readonly revision: number;
}

/** As it is in the view. */
export function promisedIn(ctx: AgentContext): SyncKey {
  return readKey(ctx.state.view.entries.get(ctx.layout.sync));
}

/** As the store has it now. */
async function promisedNow({ dcs, layout }: AgentContext): Promise<SyncKey> {
  return readKey(await dcs.get(layout.sync, { timeoutMs: CALL_MS }));
}

const readKey = (entry: KeyValue | undefined): SyncKey => ({
  promised: parsePromised(entry?.value),
  revision: entry?.modRevision ?? 0,
});

/**
 * Before this member becomes a primary: nobody else may lead until its standbys are known to have what it acknowledges. The
 * election was void if the key had changed since; since it was won, only we could change it. Rejects when the key is not ours.
 */
export async function promiseAlone(ctx: AgentContext): Promise<void> {
  const { state, config, log } = ctx;
  const mode = durabilityModeOf(state.view.config?.value);
  if (mode.is === 'asynchronous') {
    state.requirement = undefined;
    return;
  }
  const others = eligible(state.view).filter((name) => name !== config.name);
  const standbys = others.map((name): SyncStandby => ({ name, isStreaming: true, goneForMs: 0 }));
  const required = wantedRequirement(mode, standbys, NOTHING_REQUIRED, { oneMs: 0, allMs: 0 });
  const { promised, revision } = await promisedNow(ctx);
  const alone = onlyLeader(config.name, required.names);
  if (!isSamePromise(promised, alone) && (await publish(ctx, alone, revision)) === undefined)
    throw new MatriarchError(
      'agent-job-failed',
      'not becoming a primary: the key sync has changed meanwhile',
    );
  state.requirement = renderRequirement(required);
  log.info('durability-alone', { voters: alone.voters, required: state.requirement });
}

/** PostgreSQL is stopped, and `next` has our last record: it may lead without asking anybody. */
export async function promiseHandedOver(ctx: AgentContext, next: string): Promise<void> {
  const { state, config, log } = ctx;
  if (durabilityModeOf(state.view.config?.value).is === 'asynchronous') return;
  const { promised, revision } = await promisedNow(ctx);
  if (promised.leader !== config.name) return;
  const voters = [...new Set([...promised.voters, config.name])].filter((name) => name !== next);
  // One of them, this member, has everything: who sees all the others sees it.
  const handedOver = { leader: next, voters, quorum: voters.length - 1 };
  if ((await publish(ctx, handedOver, revision)) !== undefined)
    log.info('durability-promised', { ...handedOver });
}

/** Members that may lead, and so are worth waiting for. */
export function eligible(view: ClusterView): readonly string[] {
  return [...view.members.values()]
    .filter(({ name, tags }) => {
      const { isNofailover, priority } = standingOf(name, tags, undefined);
      return !isNofailover && priority > 0 && !isTagSet(tags, 'nosync');
    })
    .map(({ name }) => name);
}

/** The revision of the key as written; undefined when it had changed, or we do not lead. */
export async function publish(
  ctx: AgentContext,
  promised: Promised,
  revision: number,
): Promise<number | undefined> {
  const { dcs, layout, config } = ctx;
  const key = layout.sync;
  const result = await dcs.transact(
    {
      when: [{ key: layout.leader, is: 'value', value: config.name }, unchanged(key, revision)],
      then: [{ op: 'put', key, value: renderPromised(promised) }],
    },
    { timeoutMs: CALL_MS },
  );
  return result.outcome === 'applied' ? result.revision : undefined;
}
