/**
 * A store that has lost the cluster (restored, emptied, another prefix) looks like one before the first cluster. Whoever has
 * the cluster's data, or has seen its identity in this life, writes that back at once, by create-if-absent; who has nothing
 * waits for that (ha/decide.ts). What cannot be known: a host whose agent does not run, or does not reach the store.
 */
import type { AgentContext } from './context.ts';
import { localServer } from './observe.ts';

const CALL_MS = 1000;

/** Writes `initialize` where neither that nor a leader is there. A leader does this itself (duties.ts). Rejects with `DcsError`. */
export async function restoreIdentity({ state, keeper, dcs, layout, log }: AgentContext): Promise<void> {
  const { view } = state;
  const systemId = state.knownSystemId ?? runningSystemId(state);
  if (systemId === undefined || view.systemId !== undefined || state.isBootstrapping) return;
  const lock = keeper.lock(view, state.contactAt).is;
  if (lock !== 'none' && lock !== 'lost') return;
  const { outcome } = await dcs.transact(
    {
      when: [
        { key: layout.initialize, is: 'absent' },
        { key: layout.leader, is: 'absent' },
      ],
      then: [{ op: 'put', key: layout.initialize, value: systemId }],
    },
    { timeoutMs: CALL_MS },
  );
  if (outcome === 'applied') log.warn('cluster-identity-restored', { systemId });
}

/** Of a directory that merely lies there nobody knows what it was meant for; one whose server runs here is this cluster's. */
function runningSystemId(state: AgentContext['state']): string | undefined {
  const local = localServer(state);
  return local.data === 'whole' && local.process === 'running' ? local.systemId : undefined;
}
