// What tests need beside npm's packages: Debian's packages of the clients in test/clients that npm does not carry, and of
// Patroni, with which agents share a cluster; installed where that may be done without asking, and what is not there is
// skipped, and says so. And what Prisma generates.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { installIfAllowed, ROOT, say } from './setup.mjs';

/** Name, and a file that it puts in its place. */
const PACKAGES = {
  'python3-psycopg2': '/usr/lib/python3/dist-packages/psycopg2',
  'python3-psycopg': '/usr/lib/python3/dist-packages/psycopg',
  'python3-asyncpg': '/usr/lib/python3/dist-packages/asyncpg',
  'python3-sqlalchemy': '/usr/lib/python3/dist-packages/sqlalchemy',
  'python3-django': '/usr/lib/python3/dist-packages/django',
  'libdbd-pg-perl': '/usr/share/doc/libdbd-pg-perl',
  'php-cli': '/usr/bin/php',
  'php-pgsql': '/usr/share/doc/php-pgsql',
  'ruby-pg': '/usr/share/doc/ruby-pg',
  patroni: '/usr/bin/patroni',
  'libpostgresql-jdbc-java': '/usr/share/java/postgresql.jar',
  // Compiles as it starts; a runtime alone does not.
  'default-jdk-headless': '/usr/bin/javac',
};

/** Prisma's own client, for its guest. Not the engines that it would download: the driver adapter takes their place. */
const PRISMA = { schema: 'test/clients/schema.prisma', made: 'dist/prisma/schema.prisma' };
const NO_ENGINES = {
  PRISMA_QUERY_ENGINE_LIBRARY: process.execPath,
  PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
};

export function installClients() {
  generatePrisma();
  installIfAllowed(
    Object.entries(PACKAGES).map(([name, path]) => ({ name, isPresent: () => existsSync(path) })),
  );
}

/** A failure is left to Prisma's tests, which then have no client. */
function generatePrisma() {
  const { schema, made } = PRISMA;
  const [wanted, present] = [join(ROOT, schema), join(ROOT, made)];
  if (existsSync(present) && statSync(present).mtimeMs > statSync(wanted).mtimeMs) return;
  say(`test: generating Prisma's client (prisma generate --schema ${schema})`);
  const env = { ...process.env, ...NO_ENGINES, CHECKPOINT_DISABLE: '1', PRISMA_HIDE_UPDATE_MESSAGE: '1' };
  const stdio = ['ignore', 'ignore', 2];
  spawnSync(join(ROOT, 'node_modules', '.bin', 'prisma'), ['generate', '--schema', wanted], { env, stdio });
}

/** The original, whose `patronictl` operates our agents in a test. Its service is not started. */
export function installPatroni() {
  installIfAllowed([{ name: 'patroni', isPresent: () => existsSync('/usr/bin/patronictl') }]);
}
