/** The door of `pool`: who gets which server connection, and when one is opened or closed. */
export { type PoolLimits } from './plan.ts';
export { Pool, type Poolable, type PoolRequest, type Seat } from './pool.ts';
