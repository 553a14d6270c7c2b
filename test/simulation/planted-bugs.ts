/**
 * Bugs to plant: each is one line of the real code, as it is compiled, with another in its place. Whoever changes a line
 * that is named here names it anew; a line that is not found exactly once is an error, so none is planted in vain.
 */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export interface PlantedBug {
  /** What the program does wrong with it. */
  readonly name: string;
  /** Where to begin: a little before a seed that has found it. It is looked for from there on, whatever is found first. */
  readonly from?: number;
  /** Under src, as compiled. */
  readonly file: string;
  readonly line: string;
  readonly instead: string;
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'the fence strikes when the lease may have ended already',
    from: 302,
    file: 'ha/fence.js',
    line: 'return keepAlive.sentAt + keepAlive.ttlMs - keepAlive.marginMs;',
    instead: 'return keepAlive.sentAt + keepAlive.ttlMs + keepAlive.marginMs;',
  },
  {
    name: 'a standby of an older timeline may lead',
    from: 1650,
    file: 'ha/rank.js',
    line: "return 'behind-timeline';",
    instead: 'return undefined;',
  },
  {
    name: 'maximum_lag_on_failover is ignored',
    from: 7902,
    file: 'ha/rank.js',
    line: "return 'lag-too-great';",
    instead: 'return undefined;',
  },
  {
    name: 'the leader key is taken over from whoever holds it',
    from: 1384,
    file: 'agent/lease-keeper.js',
    line: "otherwise: { when: [{ key: layout.leader, is: 'absent' }, ...unchangedKeys], then: put },",
    instead: 'otherwise: { when: [], then: put },',
  },
  {
    name: 'a lease that has ended goes on being believed in',
    from: 375,
    file: 'agent/lease-keeper.js',
    line: 'return this.isHolder && this.#options.clock.now() + atLeastMs < this.deadline;',
    instead: 'return this.isHolder && this.lease !== undefined;',
  },
  {
    name: 'the leader key is given away before PostgreSQL is stopped',
    from: 934,
    file: 'agent/hand-over.js',
    line: 'const lsn = await stopForGood(ctx);\n    if (!job.isCurrent())',
    instead: 'await giveAway(ctx, undefined); const lsn = await stopForGood(ctx);\n    if (!job.isCurrent())',
  },
  {
    name: 'PostgreSQL becomes a primary without an armed fence',
    from: 108,
    file: 'agent/server-work.js',
    line: 'await ctx.fence.arm(ctx.keeper.deadline);',
    instead: 'ctx.state.isGuarding = false;',
  },
  {
    name: 'a keep-alive gives its fence more time than the lease has',
    from: 1173,
    file: 'ha/fence.js',
    line: 'Math.max(state.deadline, event.deadline)',
    instead: 'state.deadline + 60_000',
  },
  {
    name: 'the next timeline has the number that PostgreSQL gives it',
    from: 203,
    file: 'agent/server-work.js',
    line: 'const timeline = await takeTimeline(ctx);',
    instead: 'const timeline = 0;',
  },
  {
    name: 'a shutdown that hangs is waited for, for ever',
    from: 684,
    file: 'ha/decide.js',
    line: 'return forMs >= o.limits.stopPatienceMs',
    instead: 'return forMs >= Infinity',
  },
  {
    name: 'leadership is believed in until the release of the key is answered',
    from: 109,
    file: 'ha/lease.js',
    line: 'return { revision: heldSince ?? namedSince, state: { ...state, ...NOT_HELD, isLost: false } };',
    instead: 'return { revision: heldSince ?? namedSince, state };',
  },
  {
    name: 'the fence comes to SIGKILL when its margin is over',
    from: 1173,
    file: 'ha/fence.js',
    line: 'Math.floor(marginMs * 0.5)',
    instead: 'Math.floor(marginMs * 5)',
  },
  {
    name: 'what initdb left is taken for a cluster that somebody made',
    from: 9200,
    file: 'agent/observe.js',
    line: 'return isUnclaimed && !isBootstrapping && inspection.control?.systemId !== view.systemId;',
    instead: 'return false;',
  },
  {
    name: 'a standby leads although another one has what a synchronous primary has acknowledged',
    from: 17_700,
    file: 'ha/rank.js',
    line: 'return ahead.length === 0',
    instead: 'return ahead.length >= 0',
  },
  {
    name: 'a voter leads without having seen the others',
    from: 1626,
    file: 'ha/durability.js',
    line: 'if (seen.length < promised.quorum)',
    instead: 'if (seen.length < 0)',
  },
  {
    name: 'what is required is taken to be confirmed as soon as it is set',
    from: 17230,
    file: 'agent/synchrony.js',
    line: 'const isConfirmed = this.#isConfirmed;',
    instead: 'const isConfirmed = true;',
  },
  {
    name: 'failsafe goes on although a member has not pledged',
    from: 4150,
    file: 'ha/failsafe.js',
    line: 'if (pledge === undefined)\n            return undefined;',
    instead: 'if (pledge === undefined) continue;',
  },
  {
    name: 'a pledge is forgotten',
    from: 485,
    file: 'agent/pledges.js',
    line: 'if (pledged === undefined || now >= pledged.until)',
    instead: 'if (true)',
  },
  {
    name: 'pledges are believed in for longer than they were made for',
    from: 6005,
    file: 'ha/lease.js',
    line: ': fenceDeadline({ ...pledged, marginMs });',
    instead: ': fenceDeadline({ ...pledged, marginMs }) + 3 * marginMs;',
  },
  {
    name: 'a server that was a primary lets clients in as soon as it is started again',
    file: 'agent/server-work.js',
    line: "return durabilityModeOf(view.config?.value).is === 'asynchronous' ? {} : { isClosed: true };",
    instead: 'return {};',
  },
  {
    name: 'clients see what standbys have not confirmed',
    file: 'ha/opening.js',
    line: 'return have.length >= required.acks;',
    instead: 'return true;',
  },
  {
    name: 'clients see what a former primary alone has, before it streams from who leads',
    file: 'ha/opening.js',
    line: 'return seen.isStreaming;',
    instead: 'return true;',
  },
  {
    name: 'an agent without its store forgets that commits waited',
    file: 'agent/server-work.js',
    line: "return { isClosed: 'if-durable' };",
    instead: 'return {};',
  },
];

const DIST = fileURLToPath(new URL('../../', import.meta.url));

/** A copy of the program and the simulation with the bug in it; returns the campaign's worker in that copy. */
export function plant({ name, file, line, instead }: PlantedBug): {
  readonly worker: URL;
  readonly remove: () => void;
} {
  const folder = join(DIST, 'planted', name.replaceAll(/\W+/g, '-'));
  rmSync(folder, { recursive: true, force: true });
  for (const part of ['src', join('test', 'simulation')])
    cpSync(join(DIST, part), join(folder, part), {
      recursive: true,
      filter: (path) => !/\.(map|d\.ts)$/.test(path),
    });
  const path = join(folder, 'src', file);
  const parts = readFileSync(path, 'utf8').split(line);
  if (parts.length !== 2)
    throw new Error(`"${name}" is planted in a line that ${file} has ${parts.length - 1} times: ${line}`);
  writeFileSync(path, parts.join(instead));
  return {
    worker: pathToFileURL(join(folder, 'test', 'simulation', 'worker.js')),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
