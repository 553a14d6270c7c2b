/** The door of `sql`: what kind of statement a text of SQL is, told by PostgreSQL's own grammar. Pure but for loading it. */
export type {
  Classification,
  Isolation,
  SettingChange,
  SettingStatement,
  SpokenOf,
  TransactionAccess,
  TransactionOptions,
  Verdict,
} from './classification.ts';
export {
  type Classifier,
  type ClassifierOptions,
  type ClassifierStats,
  loadClassifier,
} from './classifier.ts';
export { HARMFUL_BUILTINS, LEAVES_STATE, type Misleading, misleadingIn } from './functions.ts';
export { CatalogFacts } from './catalog-facts.ts';
export { isLocal } from './classify.ts';
export type { CatalogRows } from './catalog-rows.ts';
export {
  isOwnType,
  originOf,
  type Resolver,
  Resolvers,
  unread,
  unresolved,
  withoutCatalog,
} from './resolve.ts';
export { isTemporaryPath, type SearchPath, searchPathOf } from './search-path.ts';
export { NOT_LOOKED_AT, SQL_REASONS, type SqlReason } from './reasons.ts';
export { bindingOf } from './settings.ts';
