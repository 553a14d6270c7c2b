/** The door of `router`: PostgreSQL's protocol to clients, routing by statement, following the cluster. */
export { readAccess } from './access.ts';
export type { ConfigSource } from './live-config.ts';
export { type RouterOptions, startRouter } from './router.ts';
export type { Channel } from './take-over.ts';
