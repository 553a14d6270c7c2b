/**
 * A reload (SIGHUP, `POST /reload`): the agent's file is read again; what may change in a running agent changes, and
 * PostgreSQL's files are written and read anew. A file that is wrong changes nothing. What needs a new agent is named.
 */
import { background, failure, rethrowBug } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import type { AgentContext } from './context.ts';

/** Settings that a running agent takes over; all others are of its whole life. */
const LIVE: readonly string[] = [
  'tags',
  'postgresql.parameters',
  'postgresql.pg_hba',
  'postgresql.callbacks',
  'restapi.authentication',
  'restapi.allowlist',
  'restapi.allowlist_include_members',
  'watchdog.mode',
  'watchdog.device',
  'watchdog.safety_margin',
];

/** Does it soon; how it ends is told in the log. */
export function requestReload(ctx: AgentContext): void {
  background(ctx.log, 'reload', reload(ctx));
}

async function reload(ctx: AgentContext): Promise<void> {
  const { log, state, wake } = ctx;
  const again = await readAgain(ctx);
  if (again?.postgresql !== undefined && again.restapi !== undefined) {
    ctx.tags = { ...again.tags, datacenter: ctx.config.datacenter };
    ctx.postgresql = {
      ...ctx.postgresql,
      parameters: again.postgresql.parameters,
      pg_hba: again.postgresql.pg_hba,
      callbacks: again.postgresql.callbacks,
    };
    ctx.restapi = {
      ...ctx.restapi,
      authentication: again.restapi.authentication,
      allowlist: again.restapi.allowlist,
      allowlist_include_members: again.restapi.allowlist_include_members,
    };
    ctx.watchdog.reload(again.watchdog);
    const changed = changedKeys(ctx.config, again).filter((key) => !LIVE.includes(key));
    if (changed.length > 0) log.warn('reload-needs-new-agent', { keys: changed });
  }
  state.isReloadDue = true;
  wake.now();
}

/** The file as it is now; undefined when it is not to be had, and all stays as it is. */
async function readAgain({ readAgain: read, log }: AgentContext): Promise<Config | undefined> {
  try {
    const again = await read();
    log.info('configuration-read-again', {});
    return again;
  } catch (cause) {
    rethrowBug(cause);
    log.error('reload-refused', failure(cause));
    return undefined;
  }
}

/** Keys of two levels whose values differ. */
export function changedKeys(before: object, after: object): readonly string[] {
  const [was, is] = [leaves(before), leaves(after)];
  return [...new Set([...was.keys(), ...is.keys()])].filter((key) => was.get(key) !== is.get(key)).sort();
}

function leaves(config: object): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [section, value] of Object.entries(config) as [string, unknown][]) {
    const isSection =
      typeof value === 'object' && value !== null && !Array.isArray(value) && section !== 'tags';
    if (!isSection) found.set(section, JSON.stringify(value) ?? '');
    else
      for (const [key, each] of Object.entries(value) as [string, unknown][])
        found.set(`${section}.${key}`, JSON.stringify(each) ?? '');
  }
  return found;
}
