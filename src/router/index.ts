/** The door of `router`: PostgreSQL's protocol to clients, routing by statement, following the cluster. */
export { type RouterOptions, startRouter } from './router.ts';
