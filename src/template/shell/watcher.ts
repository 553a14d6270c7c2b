/** All resources of a folder: reads `conf.d`, and keeps each file right from one backend, once or until told to end. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, describe, type Log, MatriarchError, pause } from '../../base/index.ts';
import { type ClusterScope, scopeFolder } from '../cluster/cluster.ts';
import { parseResource, type Resource } from '../resource/resource.ts';
import { backendKeys } from '../resource/snapshot.ts';
import type { Problem } from '../resource/toml.ts';
import type { Backend } from './backend.ts';
import { asksForCluster } from './asks-for-cluster.ts';
import { Keeper, type KeeperOptions, type KeeperStatus } from './keeper.ts';
import { notesIn } from './notes.ts';

export interface WatcherOptions {
  /** Has `conf.d` and `templates`. */
  readonly folder: string;
  /** Where it is remembered which reloads are owed. */
  readonly stateFolder: string;
  readonly backend: Backend;
  readonly prefix: string;
  /** The cluster that templates may ask for. */
  readonly cluster: ClusterScope | undefined;
  /** How often everything is looked at anyway. */
  readonly intervalMs: number;
  readonly isNoop: boolean;
  /** No command is run. */
  readonly isSyncOnly: boolean;
  readonly keepsStaged: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly onShow: KeeperOptions['onShow'];
  /** Given how the files stand, whenever it is asked, before the first is looked at. */
  readonly onStarted?: (statuses: () => readonly KeeperStatus[]) => void;
}

const RETRY = { firstMs: 1_000, maxMs: 60_000 };

/** Applies everything once. Rejects with `template-not-applied` when a file is not as it should be. */
export async function applyOnce(options: WatcherOptions): Promise<readonly KeeperStatus[]> {
  const keepers = await keepersOf(options);
  const results = await Promise.all(
    keepers.map(async ({ keeper, keys }) => {
      keeper.snapshot(await options.backend.read(keys));
      const status = await keeper.settled();
      await keeper.end();
      return status;
    }),
  );
  const bad = results.filter(({ trouble }) => trouble !== undefined);
  if (bad.length === 0) return results;
  const lines = bad.map(({ dest, trouble }) => `${dest}: ${trouble?.because}: ${trouble?.message}`);
  throw new MatriarchError('template-not-applied', lines.join('\n'));
}

/** Follows the backend until the signal aborts, then lets what is under way end. */
export async function watch(options: WatcherOptions, signal: AbortSignal): Promise<void> {
  const keepers = await keepersOf(options);
  await Promise.all(
    keepers.map(async ({ keeper, keys, resource }) => {
      const follower = {
        snapshot: keeper.snapshot.bind(keeper),
        current: keeper.current.bind(keeper),
        lost: (because: string) => {
          options.log.warn('backend-lost', { resource: resource.name, because });
          keeper.lost();
        },
      };
      await options.backend.follow(keys, follower, signal);
      await keeper.end();
    }),
  );
}

/** Reads the backend every so often until the signal aborts. */
export async function poll(options: WatcherOptions, signal: AbortSignal): Promise<void> {
  const keepers = await keepersOf(options);
  while (!signal.aborted) {
    await Promise.all(
      keepers.map(async ({ keeper, keys, resource }) => {
        try {
          keeper.snapshot(await options.backend.read(keys));
        } catch (cause) {
          options.log.warn('backend-lost', { resource: resource.name, because: describe(cause) });
          keeper.lost();
        }
      }),
    );
    await pause(options.intervalMs, signal);
  }
  await Promise.all(keepers.map(async ({ keeper }) => await keeper.end()));
}

interface Kept {
  readonly resource: Resource;
  readonly keeper: Keeper;
  /** As the backend has them. */
  readonly keys: readonly string[];
}

async function keepersOf(options: WatcherOptions): Promise<Kept[]> {
  const resources = await loadResources(options.folder, options.log);
  const { prefix, isNoop, isSyncOnly } = options;
  const kept = await Promise.all(
    resources.map(async (resource) => {
      const { debounceMs, maxWaitMs, checkCommand, reloadCommand } = resource;
      const settings = {
        debounceMs,
        maxWaitMs,
        resyncMs: options.intervalMs,
        retry: RETRY,
        hasCheck: checkCommand !== undefined && !isSyncOnly,
        hasReload: reloadCommand !== undefined && !isSyncOnly,
        isNoop,
      };
      const templatesFolder = join(options.folder, 'templates');
      const cluster = await clusterFor(resource, options.cluster, templatesFolder);
      const keeper = await Keeper.start({
        ...options,
        cluster,
        resource,
        settings,
        templatesFolder,
        notes: notesIn(options.stateFolder),
      });
      const keys = backendKeys(resource, prefix);
      return { resource, keeper, keys: typeof cluster === 'string' ? keys : [...keys, scopeFolder(cluster)] };
    }),
  );
  options.onStarted?.(() => kept.map(({ keeper }) => keeper.status));
  return kept;
}

/** The cluster, if the template asks for it; its keys are read only then. */
async function clusterFor(
  { src }: Resource,
  cluster: ClusterScope | undefined,
  templatesFolder: string,
): Promise<ClusterScope | string> {
  if (cluster === undefined) return 'no cluster is named: give --scope, or a matriarch.yaml';
  return (await asksForCluster(templatesFolder, src))
    ? cluster
    : 'the template did not ask for the cluster when it was first read; start anew';
}

/** Every resource of `conf.d`, by name. Rejects with `template-resource-invalid`, which tells all that is wrong. */
async function loadResources(folder: string, log: Log): Promise<Resource[]> {
  const confd = join(folder, 'conf.d');
  const complaint = (file: string, { line, column, key, message }: Problem): string =>
    `${join(confd, file)}:${line}:${column}: ${key === '' ? '' : `${key} `}${message}`;
  const resources: Resource[] = [];
  const wrong: string[] = [];
  for (const file of await tomlFiles(confd)) {
    const parsed = parseResource(file.replace(/\.toml$/, ''), await readFile(join(confd, file), 'utf8'));
    if (parsed.outcome === 'problems')
      wrong.push(...parsed.problems.map((problem) => complaint(file, problem)));
    else {
      for (const warning of parsed.warnings) log.warn('resource-odd', { problem: complaint(file, warning) });
      const twin = resources.find(({ dest }) => dest === parsed.resource.dest);
      if (twin !== undefined)
        wrong.push(`${join(confd, file)}: ${twin.dest} is the dest of ${twin.name}.toml as well`);
      resources.push(parsed.resource);
    }
  }
  if (wrong.length > 0) throw new MatriarchError('template-resource-invalid', wrong.join('\n'));
  return resources;
}

async function tomlFiles(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith('.toml')).sort();
  } catch (cause) {
    throw new MatriarchError('template-resource-invalid', `cannot read ${folder}: ${describe(cause)}`, {
      cause,
    });
  }
}
