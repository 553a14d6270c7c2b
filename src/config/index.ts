/** The door of `config`: the schema of matriarch.yaml and the one way to read such a file. */
export type { Address } from '../base/index.ts';
export {
  type Config,
  type LeaseConfig,
  type PostgresqlConfig,
  type RestapiConfig,
  type RouterConfig,
} from './schema.ts';
