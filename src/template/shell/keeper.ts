/**
 * Keeps one file right: does what the plan says, and tells it what came of it. All decisions are the plan's; here are the
 * waits, and nothing is done twice at a time because the plan has one thing under way.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  background,
  type Clock,
  describe,
  failure,
  type Log,
  rethrowBug,
  unreachable,
} from '../../base/index.ts';
import { type ClusterScope, clusterOf } from '../cluster/cluster.ts';
import { render } from '../confd/render.ts';
import {
  type Because,
  type Effect,
  initialState,
  type PlanEvent,
  type PlanState,
  type Settings,
  step,
  wakeAt,
} from '../apply/plan.ts';
import { commandLine } from '../resource/command.ts';
import type { Resource } from '../resource/resource.ts';
import { judge, judgeMembers, type Snapshot } from '../resource/snapshot.ts';
import { type Attributes, isInPlace, replace, stage, stagedPath, wantedAttributes } from './destination.ts';
import { hostWorld } from './host-world.ts';
import type { Notes } from './notes.ts';
import { runCommand } from './run-command.ts';

export interface KeeperOptions {
  readonly resource: Resource;
  readonly settings: Settings;
  /** A prefix for all resources; empty for their own. */
  readonly prefix: string;
  /** The cluster whose keys are in the snapshots, or why there is none. */
  readonly cluster: ClusterScope | string;
  readonly templatesFolder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly keepsStaged: boolean;
  readonly notes: Notes;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** Shown instead of applied. */
  readonly onShow: (shown: Shown) => void;
}

/** What a file is, "" if it is not there, and what it would be. */
export interface Shown {
  readonly dest: string;
  readonly before: string;
  readonly after: string;
}

/** For the status: how a file stands. */
export interface KeeperStatus {
  readonly resource: string;
  readonly dest: string;
  readonly revision: string | undefined;
  readonly isIdle: boolean;
  readonly isReloadOwed: boolean;
  /** Monotonic, as the clock has it. */
  readonly succeededAt: number | undefined;
  readonly trouble: PlanState['trouble'];
  /** Also when it is over. */
  readonly lastTrouble: PlanState['trouble'];
  /** Monotonic; when what failed is tried again. */
  readonly retryAt: number | undefined;
}

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
/** A template whose questions depend on answers is rendered so often. */
const ROUNDS_MAX = 10;
/** A timer cannot wait longer. */
const WAIT_MS_MAX = 2 ** 31 - 1;

export class Keeper {
  readonly #options: KeeperOptions;
  #state: PlanState;
  #lastTrouble: PlanState['trouble'];
  #snapshot: Snapshot | undefined;
  #rendered: { readonly bytes: Buffer; readonly wanted: Attributes } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isEnded = false;
  #queue: Promise<void> = Promise.resolve();
  readonly #watchers = new Set<() => void>();

  private constructor(options: KeeperOptions, state: PlanState) {
    this.#options = options;
    this.#state = state;
  }

  /** Nothing is done before the first snapshot. */
  static async start(options: KeeperOptions): Promise<Keeper> {
    const isReloadOwed = await options.notes.isReloadOwed(options.resource.name);
    return new Keeper(options, initialState({ isReloadOwed }, options.settings, options.clock.now()));
  }

  get status(): KeeperStatus {
    const { resource } = this.#options;
    const { revision, work, isReloadOwed, succeededAt, trouble } = this.#state;
    const { isStoreLost, applyRetry, reloadRetry } = this.#state;
    return {
      resource: resource.name,
      dest: resource.dest,
      revision,
      isIdle: work === 'idle',
      isReloadOwed,
      succeededAt,
      trouble,
      lastTrouble: this.#lastTrouble,
      // Without the store nothing is rendered, but a reload is made up for.
      retryAt: isStoreLost ? reloadRetry?.at : (applyRetry?.at ?? reloadRetry?.at),
    };
  }

  snapshot(snapshot: Snapshot): void {
    const isNews = this.#snapshot !== undefined && !this.#state.isStoreLost;
    this.#snapshot = snapshot;
    this.#tell({ type: isNews ? 'changed' : 'storeBack' });
  }

  lost(): void {
    this.#tell({ type: 'storeLost' });
  }

  current(): void {
    if (this.#state.isStoreLost && this.#snapshot !== undefined) this.#tell({ type: 'storeBack' });
  }

  /** Resolves when the file was looked at and nothing is under way. */
  async settled(): Promise<KeeperStatus> {
    while (!this.#hasSettled()) await new Promise<void>((resolve) => this.#watchers.add(resolve));
    return this.status;
  }

  /** Lets what is under way end, and begins nothing more. */
  async end(): Promise<void> {
    this.#isEnded = true;
    clearTimeout(this.#timer);
    while (this.#state.work !== 'idle') await new Promise<void>((resolve) => this.#watchers.add(resolve));
    // What the plan does not wait for, such as the note that nothing is owed any more.
    await this.#queue;
  }

  #hasSettled(): boolean {
    const { work, succeededAt, trouble } = this.#state;
    return work === 'idle' && (succeededAt !== undefined || trouble !== undefined);
  }

  #tell(event: PlanEvent): void {
    const { clock, log, random, settings, resource } = this.#options;
    if (this.#isEnded && this.#state.work === 'idle') return;
    const before = this.#state;
    const { state, effects } = step(before, event, settings, { now: clock.now(), random: random() });
    this.#state = state;
    const { trouble } = state;
    this.#lastTrouble = trouble ?? this.#lastTrouble;
    if (trouble !== undefined && trouble !== before.trouble)
      log.warn('file-not-applied', {
        resource: resource.name,
        because: trouble.because,
        message: trouble.message,
      });
    for (const effect of effects) this.#begin(effect);
    this.#schedule();
    for (const watcher of this.#watchers) watcher();
    this.#watchers.clear();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const at = this.#snapshot === undefined ? undefined : wakeAt(this.#state, this.#options.settings);
    if (at === undefined || at === Number.POSITIVE_INFINITY || this.#isEnded) return;
    const wait = Math.min(Math.max(at - this.#options.clock.now(), 0), WAIT_MS_MAX);
    this.#timer = setTimeout(() => this.#tell({ type: 'tick' }), wait);
  }

  /** One after the other, in the plan's order. */
  #begin(effect: Effect): void {
    this.#queue = this.#carryOut(effect, this.#queue);
    background(this.#options.log, `keeping ${this.#options.resource.dest}`, this.#queue);
  }

  async #carryOut(effect: Effect, before: Promise<void>): Promise<void> {
    await before;
    const event = await this.#attempt(effect);
    const { log, resource } = this.#options;
    if (event?.type === 'done' && effect.do === 'rename')
      log.info('file-replaced', { resource: resource.name, dest: resource.dest });
    if (event?.type === 'done' && effect.do === 'reload')
      log.info('reader-reloaded', { resource: resource.name });
    if (event !== undefined) this.#tell(event);
  }

  /** The event for the plan; what the plan does not wait for can only be logged. */
  async #attempt(effect: Effect): Promise<PlanEvent | undefined> {
    const { log, resource } = this.#options;
    try {
      return await this.#do(effect);
    } catch (cause) {
      rethrowBug(cause);
      const because = becauseOf(effect);
      if (because !== undefined) return { type: 'failed', because, message: describe(cause) };
      log.warn('file-leftover', { resource: resource.name, effect: effect.do, ...failure(cause) });
      return undefined;
    }
  }

  /** What came of it; nothing where the plan does not wait for it. */
  async #do(effect: Effect): Promise<PlanEvent | undefined> {
    const { resource, notes, onShow } = this.#options;
    const staged = stagedPath(resource);
    switch (effect.do) {
      case 'render':
        return await this.#render();
      case 'stage':
        if (this.#rendered !== undefined) await stage(staged, this.#rendered.bytes, this.#rendered.wanted);
        return { type: 'done' };
      case 'check':
        return await this.#run(resource.checkCommand, resource.checkTimeoutMs, 'check-failed');
      case 'rename':
        await replace(staged, resource.dest);
        return { type: 'done' };
      case 'reload':
        return await this.#run(resource.reloadCommand, resource.reloadTimeoutMs, 'reload-failed');
      case 'show':
        onShow({
          dest: resource.dest,
          before: await readFile(resource.dest, 'utf8').catch(() => ''),
          after: this.#rendered?.bytes.toString('utf8') ?? '',
        });
        return undefined;
      case 'note':
        await notes.note(resource.name, effect.isReloadOwed);
        return effect.isReloadOwed ? { type: 'done' } : undefined;
      case 'discardStaged':
        if (!this.#options.keepsStaged) await rm(staged, { force: true });
        return undefined;
    }
    return unreachable(effect);
  }

  async #render(): Promise<PlanEvent> {
    const { resource, prefix, cluster: scope, templatesFolder, environment, clock } = this.#options;
    const snapshot = this.#snapshot;
    if (snapshot === undefined)
      return { type: 'failed', because: 'snapshot-failed', message: 'there is no snapshot yet' };
    const judged = judge(snapshot, resource, prefix);
    if (judged.outcome === 'refused')
      return { type: 'failed', because: judged.because, message: judged.message };
    const cluster = typeof scope === 'string' ? scope : clusterOf(snapshot.pairs, scope);
    const lacking = typeof cluster === 'string' ? undefined : judgeMembers(cluster, resource);
    if (lacking !== undefined) return { type: 'failed', because: 'too-few-members', message: lacking };
    const source = await readFile(join(templatesFolder, resource.src), 'latin1');
    // Only what asks for the cluster looks at what is there.
    const inPlace =
      typeof cluster === 'string' ? '' : await readFile(resource.dest, 'latin1').catch(() => '');
    const { world, answer } = hostWorld({ templatesFolder, environment, clock });
    const request = {
      name: resource.src,
      source,
      store: judged.store,
      world,
      cluster,
      inPlace,
      outputBytesMax: OUTPUT_BYTES_MAX,
    };
    let rendered = render(request);
    for (let round = 1; rendered.outcome === 'asks' && round < ROUNDS_MAX; round += 1) {
      await answer(rendered.questions);
      rendered = render(request);
    }
    if (rendered.outcome === 'asks')
      return {
        type: 'failed',
        because: 'template-failed',
        message: 'the template asks for names without end',
      };
    if (rendered.outcome === 'failed')
      return { type: 'failed', because: 'template-failed', message: rendered.error.message };
    return await this.#compare(rendered.bytes, snapshot.revision);
  }

  /** What was rendered beside the file that is there. */
  async #compare(bytes: Buffer, revision: string): Promise<PlanEvent> {
    const { resource } = this.#options;
    try {
      const wanted = await wantedAttributes(resource);
      this.#rendered = { bytes, wanted };
      return { type: 'rendered', revision, isSame: await isInPlace(resource.dest, bytes, wanted) };
    } catch (cause) {
      return { type: 'failed', because: 'stage-failed', message: describe(cause) };
    }
  }

  async #run(
    command: string | undefined,
    timeoutMs: number,
    because: 'check-failed' | 'reload-failed',
  ): Promise<PlanEvent> {
    const { resource } = this.#options;
    const line = commandLine(command ?? 'true', { src: stagedPath(resource), dest: resource.dest });
    const ran = await runCommand(line, timeoutMs);
    return ran.outcome === 'succeeded' ? { type: 'done' } : { type: 'failed', because, message: ran.message };
  }
}

/** What has gone wrong when an effect throws; nothing when the plan does not wait for it. */
function becauseOf(effect: Effect): Because | undefined {
  if (effect.do === 'note') return effect.isReloadOwed ? 'note-failed' : undefined;
  return THROWN[effect.do];
}

const THROWN: Readonly<Record<Exclude<Effect['do'], 'note'>, Because | undefined>> = {
  render: 'template-failed',
  stage: 'stage-failed',
  check: 'check-failed',
  rename: 'rename-failed',
  reload: 'reload-failed',
  show: undefined,
  discardStaged: undefined,
};
