/** SQLAlchemy: pool, core and ORM over psycopg 2. */
import { test } from 'node:test';
import { playProgram } from '../support/client-suite.ts';

const tests = playProgram('SQLAlchemy', {
  program: '/usr/bin/python3',
  args: ['sqlalchemy-guest.py'],
  probe: "/usr/bin/python3 -c 'import sqlalchemy, psycopg2'",
});

for (const [title, compare] of tests) test(title, compare);
