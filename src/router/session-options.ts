/**
 * What a session is made of: the router's parts and the client's own wishes. For clients, and for those who ask where a
 * statement would go, so that both go the same way.
 */
import { type CatalogNow, Definitions } from './definitions.ts';
import { poolSettings } from './pool-settings.ts';
import type { SessionEffects, SessionOptions } from './session-types.ts';
import type { Shared } from './shared.ts';
import { type StartUp, welcomeOf } from './start-up.ts';
import type { SessionRouting } from './wisher.ts';

export interface SessionClient {
  readonly startUp: StartUp;
  readonly processId: number;
  readonly secretKey: Buffer;
  /** Of its database. */
  readonly catalog: CatalogNow;
}

/** Its database's name at the servers. */
export function serverDatabaseOf({ config }: Shared, { database, user }: StartUp): string {
  return poolSettings(config, database, user).serverDatabase;
}

export function sessionOptions(
  shared: Shared,
  { startUp, processId, secretKey, catalog }: SessionClient,
  effects: SessionEffects,
): SessionOptions {
  const { world, classifier, servers, config } = shared;
  const { isSessionMode } = poolSettings(config, startUp.database, startUp.user);
  return {
    world,
    classifier,
    serverNames: servers.names,
    tally: servers.tallyOf(startUp.database),
    routing: routingOf(shared, startUp, { catalog, isSessionMode }),
    knowledge: shared.reads,
    effects,
    settings: startUp.settings,
    isSerializable: startUp.isSerializable,
    applicationName: startUp.applicationName,
    searchPath: startUp.searchPath,
    isSessionMode,
    auditsCode: config.audit_code,
    welcome: (parameters) => welcomeOf(parameters, startUp),
    processId,
    secretKey,
    config: () => shared.config,
  };
}

function routingOf(
  shared: Shared,
  startUp: StartUp,
  { catalog, isSessionMode }: { readonly catalog: CatalogNow; readonly isSessionMode: boolean },
): SessionRouting {
  const { user, database, searchPath: startPath, role: startRole } = startUp;
  const definitions = new Definitions(catalog, {
    user,
    startPath,
    startRole,
    isSessionMode,
  });
  return {
    user,
    database,
    get rules() {
      return shared.config.rules;
    },
    get firstStatementDecides() {
      return shared.config.first_statement_decides;
    },
    get consistency() {
      return shared.config.consistency;
    },
    get maxStaleness() {
      return shared.reads.maxStaleness;
    },
    definitions,
    definitionsChanged: () => {
      shared.servers.names.definitionsChanged();
      definitions.changed();
    },
    refused: shared.refused,
    rescued: (because) => {
      shared.counters.rescued(because);
      if (because !== 'recovery-conflict' && because !== 'serializable') definitions.doubted();
    },
  };
}
