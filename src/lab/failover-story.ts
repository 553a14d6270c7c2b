/**
 * What happens in a failover, told as it happens: watches etcd's keys and the routers' logs from outside and reports
 * each step once, with its time since the kill.
 */
import { stat } from 'node:fs/promises';
import { background, silentLog, systemClock } from '../base/index.ts';
import { type ClusterView, primaryOf, watchCluster } from '../topology/index.ts';
import type { LabPaths } from './files.ts';
import type { DbHost, LabLayout } from './hosts.ts';
import { followLogEvents, type LogEvent } from './log-events.ts';
import { connectLab, LAB_KEYS } from './readiness.ts';

/** A step of a failover; `atMs` counts from the kill. */
export interface FailoverStep {
  readonly atMs: number;
  readonly text: string;
}

export interface StoryOptions {
  readonly layout: LabLayout;
  readonly paths: LabPaths;
  readonly killed: DbHost;
  readonly signal: AbortSignal;
  readonly tell: (step: FailoverStep) => void;
}

/** Watches until the signal aborts. The returned `begin` is called at the instant of the kill. */
export async function watchFailover(options: StoryOptions): Promise<{ readonly begin: () => void }> {
  const { layout, killed, signal } = options;
  let killedAt = systemClock.now();
  const told = new Set<string>();
  const tellOnce: Tell = (step, text) => {
    if (told.has(step)) return;
    told.add(step);
    options.tell({ atMs: systemClock.now() - killedAt, text: `${step}: ${text}` });
  };
  const survivor = layout.dbHosts.find((host) => host.name !== killed.name) ?? killed;
  const dcs = connectLab(layout, survivor.datacenter.name);
  const watching = watchCluster({
    dcs,
    layout: LAB_KEYS,
    clock: systemClock,
    log: silentLog,
    signal,
    contactEveryMs: 1000,
    onView: (view) => tellView(view, killed.name, tellOnce),
    onContact: () => {},
  });
  background(
    silentLog,
    'failover watch',
    watching.then(() => dcs.close()),
  );
  await followRouters(options, tellOnce);
  return {
    begin: () => {
      killedAt = systemClock.now();
    },
  };
}

type Tell = (step: string, text: string) => void;

function tellView(view: ClusterView, killed: string, tell: Tell): void {
  if (view.revision === 0 || view.leader === killed) return;
  if (view.leader === undefined) return tell('detected', 'the lease of the dead leader ended');
  tell('elected', `${view.leader} holds the leader key`);
  const primary = primaryOf(view);
  if (primary.kind === 'primary')
    tell('promoted', `${primary.member.name} is a primary, timeline ${view.newestTimeline}`);
}

/** Tells once what all routers have done, from the events in their logs. */
async function followRouters({ layout, paths, signal }: StoryOptions, tell: Tell): Promise<void> {
  const noticed = new Set<string>();
  const switched = new Set<string>();
  for (const { name } of layout.appHosts) {
    const file = paths.log(name, 'router');
    const onEvent = ({ event, to }: LogEvent): void => {
      if (event === 'server-connection-lost' || event === 'hold-begins') noticed.add(name);
      if (event === 'leader-changed' && to !== undefined) switched.add(name);
      if (noticed.size === layout.appHosts.length)
        tell('routers noticed', 'reads go elsewhere, writes are held');
      if (switched.size === layout.appHosts.length) tell('routers switched', 'all three know the new leader');
    };
    background(silentLog, 'router log', followLogEvents(file, (await stat(file)).size, { signal, onEvent }));
  }
}
