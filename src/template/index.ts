/** The door of `template`: confd's role. */
export { unifiedDiff } from './apply/diff.ts';
export type { ClusterScope } from './cluster/cluster.ts';
export { render } from './confd/render.ts';
export { Store } from './confd/store.ts';
export { type ConfdSettings, readConfdFile } from './resource/confd-file.ts';
export type { World } from './confd/world.ts';
export { type Backend, environmentBackend, etcdBackend, fileBackend } from './shell/backend.ts';
export type { KeeperStatus } from './shell/keeper.ts';
export { serveStatus } from './shell/status-http.ts';
export { applyOnce, poll, type WatcherOptions, watch } from './shell/watcher.ts';
