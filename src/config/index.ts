/** The door of `config`: the schema of matriarch.yaml, the one way to read such a file, and what is rendered from it. */
export type { Address } from '../base/index.ts';
export type { Purpose } from './cross-checks.ts';
export { allSettings, configJsonSchema, type SchemaNode, type Setting, schemaAt } from './json-schema.ts';
export { type ConfigEnvironment, checkConfig, formatProblems, type Loaded, loadConfig } from './load.ts';
export { readRouterSetting } from './one-setting.ts';
export { renderReference } from './reference.ts';
export { renderSample } from './sample.ts';
export { nearest } from './nearest.ts';
export type {
  Config,
  EtcdConfig,
  LeaseConfig,
  NodeConfig,
  PostgresqlConfig,
  RestapiConfig,
  RouterConfig,
} from './schema.ts';
export { safetyMarginMs, type WatchdogConfig } from './watchdog-keys.ts';
export { USUAL_NAMESPACE, USUAL_WEIGHTS } from './schema.ts';
export { type Path, type Problem, parseSource, type Source } from './source.ts';
