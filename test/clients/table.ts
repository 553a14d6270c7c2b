/**
 * Clients and the scenarios that each plays. The tests take their scenarios from here and fail when a guest prints
 * others; docs/clients.md is rendered from it. So the page says what was run, and nothing else.
 */

export const SCENARIOS = {
  connect: 'logs in by SCRAM and asks who it is',
  tls: 'the same over TLS, when the router offers it',
  types: 'values of many types, and NULL',
  parameters: 'values sent apart from the text',
  transactions: 'commit, rollback, an aborted transaction',
  savepoints: 'back to a savepoint, and on',
  prepared: 'one statement prepared once and run many times',
  copy: 'COPY in and out, and a COPY that fails',
  listen: 'LISTEN and NOTIFY',
  cancel: 'a running statement is cancelled, the connection stays',
  cursors: 'rows in portions',
  errors: 'SQLSTATE of syntax, name, constraint and arithmetic',
  pool: "the client's own pool, many at once",
  large: 'megabytes in one value and one hundred thousand rows',
  pipeline: 'statements sent before answers have come',
} as const;

export type Scenario = keyof typeof SCENARIOS;

export interface Client {
  /** Where it comes from: an npm package, or a Debian package. */
  readonly from: string;
  readonly scenarios: readonly Scenario[];
}

const EVERY_DRIVER = [
  'connect',
  'types',
  'parameters',
  'transactions',
  'savepoints',
  'prepared',
  'errors',
  'large',
] as const;

export const CLIENTS = {
  psql: {
    from: 'Debian: postgresql-client',
    scenarios: [
      'connect',
      'tls',
      'types',
      'parameters',
      'transactions',
      'savepoints',
      'prepared',
      'copy',
      'listen',
      'cancel',
      'cursors',
      'errors',
      'large',
    ],
  },
  'pg_dump and pg_restore': {
    from: 'Debian: postgresql-client',
    scenarios: ['connect', 'tls', 'types', 'copy', 'large'],
  },
  pgbench: {
    from: 'Debian: postgresql',
    scenarios: ['connect', 'parameters', 'transactions', 'prepared', 'pipeline', 'pool'],
  },
  'node-postgres': {
    from: 'npm: pg',
    scenarios: [...EVERY_DRIVER, 'tls', 'listen', 'cancel', 'pool'],
  },
  'pg-cursor': { from: 'npm: pg-cursor', scenarios: ['cursors', 'transactions', 'errors'] },
  'pg-copy-streams': { from: 'npm: pg-copy-streams', scenarios: ['copy', 'large', 'errors'] },
  'postgres.js': {
    from: 'npm: postgres',
    scenarios: [...EVERY_DRIVER, 'tls', 'copy', 'listen', 'cancel', 'cursors', 'pool', 'pipeline'],
  },
  kysely: { from: 'npm: kysely', scenarios: ['types', 'parameters', 'transactions', 'errors', 'pool'] },
  drizzle: {
    from: 'npm: drizzle-orm',
    scenarios: ['types', 'parameters', 'transactions', 'savepoints', 'prepared', 'errors', 'pool'],
  },
  knex: {
    from: 'npm: knex',
    scenarios: ['types', 'parameters', 'transactions', 'savepoints', 'errors', 'pool'],
  },
  typeorm: {
    from: 'npm: typeorm',
    scenarios: ['types', 'parameters', 'transactions', 'savepoints', 'errors', 'pool'],
  },
  sequelize: {
    from: 'npm: sequelize',
    scenarios: ['types', 'parameters', 'transactions', 'savepoints', 'errors', 'pool'],
  },
  Prisma: {
    from: 'npm: prisma, @prisma/adapter-pg',
    scenarios: ['types', 'parameters', 'transactions', 'errors', 'pool'],
  },
  'psycopg 2': {
    from: 'Debian: python3-psycopg2',
    scenarios: [...EVERY_DRIVER, 'tls', 'copy', 'listen', 'cancel', 'cursors', 'pool'],
  },
  'psycopg 3': {
    from: 'Debian: python3-psycopg',
    scenarios: [...EVERY_DRIVER, 'tls', 'copy', 'listen', 'cancel', 'cursors', 'pipeline'],
  },
  asyncpg: {
    from: 'Debian: python3-asyncpg',
    scenarios: [...EVERY_DRIVER, 'tls', 'copy', 'listen', 'cancel', 'cursors', 'pool'],
  },
  SQLAlchemy: {
    from: 'Debian: python3-sqlalchemy',
    scenarios: ['types', 'parameters', 'transactions', 'savepoints', 'cursors', 'errors', 'pool'],
  },
  Django: {
    from: 'Debian: python3-django',
    scenarios: ['types', 'parameters', 'transactions', 'savepoints', 'cursors', 'errors'],
  },
  JDBC: {
    from: 'Debian: libpostgresql-jdbc-java',
    scenarios: [...EVERY_DRIVER, 'tls', 'copy', 'listen', 'cancel', 'cursors', 'pipeline'],
  },
  'DBD::Pg': {
    from: 'Debian: libdbd-pg-perl',
    scenarios: [...EVERY_DRIVER, 'tls', 'copy', 'listen', 'cancel', 'cursors'],
  },
  'PHP PDO': {
    from: 'Debian: php-pgsql',
    scenarios: [...EVERY_DRIVER, 'tls', 'copy', 'listen', 'cursors'],
  },
  'Ruby pg': {
    from: 'Debian: ruby-pg',
    scenarios: [...EVERY_DRIVER, 'tls', 'copy', 'listen', 'cancel', 'cursors', 'pipeline'],
  },
} as const satisfies Readonly<Record<string, Client>>;

export type ClientName = keyof typeof CLIENTS;

/** docs/clients.md. */
export function clientsPage(): string {
  const names = Object.keys(SCENARIOS);
  const rows = Object.entries(CLIENTS).map(([name, { from, scenarios }]: [string, Client]) => {
    const cells = names.map((each) => (scenarios.some((played) => played === each) ? '✓' : ''));
    return `| ${name} | ${from} | ${cells.join(' | ')} |`;
  });
  const meanings = Object.entries(SCENARIOS).map(([name, meaning]) => `- **${name}**: ${meaning}`);
  return `# Clients

Rendered from the table that the tests run by (\`test/clients/table.ts\`); do not edit. A ✓ is a scenario that \`npm test\` plays
twice, by the same program, against PostgreSQL and through a router in transaction mode, and that fails on any difference in what
the program prints. An empty cell is what the client does not have, or leaves to the driver that it is built on, which has a row of its own.

| client | from | ${names.join(' | ')} |
| --- | --- | ${names.map(() => '---').join(' | ')} |
${rows.join('\n')}

${meanings.join('\n')}
`;
}
