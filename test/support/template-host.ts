/** A folder of resources and templates, a store in memory, and a keeper of one file with little patience. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Log, silentLog, systemClock } from '../../src/base/index.ts';
import { createMemoryDcs, type MemoryClient } from '../../src/dcs/index.ts';
import { parseResource } from '../../src/template/resource/resource.ts';
import { backendKeys } from '../../src/template/resource/snapshot.ts';
import { etcdBackend } from '../../src/template/shell/backend.ts';
import { Keeper } from '../../src/template/shell/keeper.ts';
import { notesIn } from '../../src/template/shell/notes.ts';
import type { WatcherOptions } from '../../src/template/shell/watcher.ts';
import { type Scope, scratchFolder } from './scratch.ts';

export interface TemplateHost {
  readonly folder: string;
  /** The path of a file in the folder. */
  readonly path: (name: string) => string;
  /** Its content; "" when there is none. */
  readonly read: (name: string) => Promise<string>;
  readonly store: MemoryClient;
  readonly put: (key: string, value: string) => Promise<void>;
  readonly remove: (key: string) => Promise<void>;
  readonly options: (different?: Partial<WatcherOptions>) => Omit<WatcherOptions, 'backend'>;
  /** Follows the store for one resource, until the test ends or `end` is called. */
  readonly keep: (log?: Log) => Promise<{ readonly keeper: Keeper; readonly end: () => Promise<void> }>;
}

const RETRY = { firstMs: 20, maxMs: 100 };
const WAIT = { timeoutMs: 1_000 };

/** `resource` is what stands in its TOML beside `src` and `dest`; the file is `out.conf` unless it says otherwise. */
export async function templateHost(
  t: Scope,
  { template, resource = '', dest = 'out.conf' }: { template: string; resource?: string; dest?: string },
): Promise<TemplateHost> {
  // Ends before its folder goes: these run in the order in which they are said.
  const memory = createMemoryDcs({ clock: systemClock, tickEveryMs: 5 });
  const store = memory.connect();
  const writer = memory.connect();
  const ends: (() => Promise<void>)[] = [];
  t.after(async () => {
    for (const end of ends) await end();
    await store.close();
    memory.close();
  });
  const folder = await scratchFolder(t);
  const path = (name: string): string => resolve(folder, name);
  await mkdir(path('conf.d'));
  await mkdir(path('templates'));
  await writeFile(path('templates/out.tmpl'), template);
  const toml = `[template]\nsrc = "out.tmpl"\ndest = "${path(dest)}"\n${resource.replaceAll('FOLDER', folder)}\n`;
  await writeFile(path('conf.d/out.toml'), toml);
  const options = (different: Partial<WatcherOptions> = {}): Omit<WatcherOptions, 'backend'> => ({
    folder,
    stateFolder: path('state'),
    prefix: '',
    cluster: undefined,
    intervalMs: 600_000,
    isNoop: false,
    isSyncOnly: false,
    keepsStaged: false,
    environment: {},
    clock: systemClock,
    log: silentLog,
    random: () => 0.5,
    onShow: () => {},
    ...different,
  });
  const keep = async (log: Log = silentLog): Promise<{ keeper: Keeper; end: () => Promise<void> }> => {
    const parsed = parseResource('out', toml);
    if (parsed.outcome === 'problems') throw new Error(JSON.stringify(parsed.problems));
    const { resource: read } = parsed;
    const { debounceMs, maxWaitMs } = read;
    const keeper = await Keeper.start({
      ...options({ log }),
      cluster: 'no cluster',
      resource: read,
      settings: {
        debounceMs,
        maxWaitMs,
        resyncMs: 600_000,
        retry: RETRY,
        hasCheck: read.checkCommand !== undefined,
        hasReload: read.reloadCommand !== undefined,
        isNoop: false,
      },
      templatesFolder: path('templates'),
      notes: notesIn(path('state')),
    });
    const stop = new AbortController();
    const followed = etcdBackend(store).follow(
      backendKeys(read, ''),
      {
        snapshot: (snapshot) => keeper.snapshot(snapshot),
        lost: () => keeper.lost(),
        current: () => keeper.current(),
      },
      stop.signal,
    );
    const end = async (): Promise<void> => {
      stop.abort();
      await followed;
      await keeper.end();
    };
    ends.push(end);
    return { keeper, end };
  };
  return {
    folder,
    path,
    read: async (name) => await readFile(path(name), 'utf8').catch(() => ''),
    store,
    put: async (key, value) =>
      void (await writer.transact({ when: [], then: [{ op: 'put', key, value }] }, WAIT)),
    remove: async (key) => void (await writer.transact({ when: [], then: [{ op: 'delete', key }] }, WAIT)),
    options,
    keep,
  };
}
