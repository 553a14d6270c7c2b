/** Where keys come from: etcd, the environment, files. Each gives whole snapshots, never a mixture of two instants. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { describe, MatriarchError, pause } from '../../base/index.ts';
import type { Dcs, KeyValue, WatchHandler } from '../../dcs/index.ts';
import { compilePattern, type Matcher } from '../confd/path.ts';
import { fromText } from '../go/bytes.ts';
import { documentPairs, environmentPairs } from '../resource/flatten.ts';
import { isWanted, type Snapshot } from '../resource/snapshot.ts';

export interface Follower {
  /** What is there now, whole; the map is good until the next. */
  readonly snapshot: (snapshot: Snapshot) => void;
  /** What was there last may be old. */
  readonly lost: (because: string) => void;
  /** It is not. */
  readonly current: () => void;
}

export interface Backend {
  /** Once. Rejects with `MatriarchError` or `DcsError`. */
  readonly read: (keys: readonly string[]) => Promise<Snapshot>;
  /** Until the signal aborts. */
  readonly follow: (keys: readonly string[], follower: Follower, signal: AbortSignal) => Promise<void>;
}

const READ_TIMEOUT_MS = 5_000;
const CONTACT_EVERY_MS = 1_000;
const POLL_MS = 1_000;

export function etcdBackend(dcs: Dcs): Backend {
  return {
    read: async (keys) => {
      if (keys.length === 0) return NOTHING;
      const { revision, entries } = await dcs.range(commonFolder(keys), { timeoutMs: READ_TIMEOUT_MS });
      return { revision: String(revision), pairs: pairsOf(entries, keys) };
    },
    follow: async (keys, follower, signal) => {
      if (keys.length === 0) return await unchanging(NOTHING).follow(keys, follower, signal);
      let pairs = new Map<string, string>();
      const handler: WatchHandler = {
        snapshot: ({ revision, entries }) => {
          pairs = pairsOf(entries, keys);
          follower.snapshot({ revision: String(revision), pairs });
        },
        changes: (revision, events) => {
          const wanted = events.filter((event) =>
            isWanted(keys, event.type === 'put' ? event.entry.key : event.key),
          );
          for (const event of wanted)
            if (event.type === 'put') pairs.set(fromText(event.entry.key), fromText(event.entry.value));
            else pairs.delete(fromText(event.key));
          if (wanted.length > 0) follower.snapshot({ revision: String(revision), pairs });
        },
        contact: () => follower.current(),
        disconnected: (because) => follower.lost(because),
      };
      await dcs.watch(commonFolder(keys), handler, { contactEveryMs: CONTACT_EVERY_MS, signal });
    },
  };
}

const NOTHING: Snapshot = { revision: 'none', pairs: new Map() };

/** The environment of our own process, which does not change. */
export function environmentBackend(variables: Readonly<Record<string, string | undefined>>): Backend {
  return unchanging({ revision: 'environment', pairs: asBytes(environmentPairs(variables)) });
}

/**
 * Files of YAML or JSON, later ones over earlier ones; looked at every second. Of a folder, and the folders in it, those
 * whose names the pattern matches, in the order of their names. Throws `MatriarchError` for a pattern that is none.
 */
export function fileBackend(sources: readonly string[], filter = '*'): Backend {
  const isWantedName = compilePattern(fromText(filter));
  if (isWantedName === undefined)
    throw new MatriarchError('config-invalid', `--filter ${filter}: it is no pattern, such as *.yaml`);
  const read = async (): Promise<Snapshot> => {
    const paths = await filesOf(sources, isWantedName);
    const pairs = new Map<string, string>();
    for (const path of paths)
      for (const [key, value] of documentPairs(await readDocument(path))) pairs.set(key, value);
    return { revision: await stamp(paths), pairs: asBytes(pairs) };
  };
  return {
    read,
    follow: async (_keys, follower, signal) => {
      let seen: string | undefined;
      while (!signal.aborted) {
        try {
          const now = await stamp(await filesOf(sources, isWantedName));
          if (now !== seen) follower.snapshot(await read());
          else follower.current();
          seen = now;
        } catch (cause) {
          follower.lost(describe(cause));
        }
        await pause(POLL_MS, signal);
      }
    },
  };
}

function unchanging(snapshot: Snapshot): Backend {
  return {
    read: async () => await Promise.resolve(snapshot),
    follow: async (_keys, follower, signal) => {
      follower.snapshot(snapshot);
      while (!signal.aborted) await pause(POLL_MS, signal);
    },
  };
}

/** The deepest folder, or key, that all keys are in: one range of it is one revision of all. */
export function commonFolder(keys: readonly string[]): string {
  const [first = [], ...others] = keys.map((key) => key.split('/'));
  const length = first.findIndex((part, index) => others.some((other) => other[index] !== part));
  const common = (length < 0 ? first : first.slice(0, length)).join('/');
  return common === '' ? '/' : common;
}

function pairsOf(entries: readonly KeyValue[], keys: readonly string[]): Map<string, string> {
  const wanted = entries.filter(({ key }) => isWanted(keys, key));
  return new Map(wanted.map(({ key, value }) => [fromText(key), fromText(value)]));
}

function asBytes(pairs: ReadonlyMap<string, string>): Map<string, string> {
  return new Map([...pairs].map(([key, value]) => [fromText(key), fromText(value)]));
}

async function filesOf(sources: readonly string[], isWantedName: Matcher): Promise<string[]> {
  const files: string[] = [];
  for (const source of sources)
    if (await reading(source, async () => (await stat(source)).isDirectory()))
      files.push(...(await filesIn(source, isWantedName)));
    else files.push(source);
  return files;
}

async function filesIn(folder: string, isWantedName: Matcher): Promise<string[]> {
  const entries = await reading(folder, async () => await readdir(folder, { withFileTypes: true }));
  const files: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) files.push(...(await filesIn(path, isWantedName)));
    // Also by a link; a link to a folder is passed by, and so is what is neither.
    else if (
      isWantedName(fromText(entry.name)) &&
      (await reading(path, async () => await stat(path))).isFile()
    )
      files.push(path);
  }
  return files;
}

/** Digits as they are written: a number of JavaScript's has 53 bits. Of keys that are there twice, the last counts, as in confd. */
async function readDocument(path: string): Promise<unknown> {
  const options = { intAsBigInt: true, uniqueKeys: false };
  return await reading(path, async () => parse(await readFile(path, 'utf8'), options));
}

/** What a step of reading gives; a failure names the path. */
async function reading<Result>(path: string, step: () => Promise<Result>): Promise<Result> {
  try {
    return await step();
  } catch (cause) {
    throw new MatriarchError('template-source-unreadable', `cannot read ${path}: ${describe(cause)}`, {
      cause,
    });
  }
}

/** Changes whenever a file does. */
async function stamp(paths: readonly string[]): Promise<string> {
  const stats = await Promise.all(paths.map((path) => stat(path, { bigint: true })));
  return stats.map(({ mtimeNs, size, ino }) => `${mtimeNs}-${size}-${ino}`).join(' ');
}
