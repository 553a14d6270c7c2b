// Debian's packages of the clients in test/clients that npm does not carry, and of Patroni, with which agents share a
// cluster. They are installed where that may be done without asking; tests of what is not there are skipped, and say so.
import { existsSync } from 'node:fs';
import { installIfAllowed } from './setup.mjs';

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

export function installClients() {
  installIfAllowed(
    Object.entries(PACKAGES).map(([name, path]) => ({ name, isPresent: () => existsSync(path) })),
  );
}

/** The original, whose `patronictl` operates our agents in a test. Its service is not started. */
export function installPatroni() {
  installIfAllowed([{ name: 'patroni', isPresent: () => existsSync('/usr/bin/patronictl') }]);
}
