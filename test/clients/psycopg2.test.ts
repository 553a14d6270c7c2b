/** psycopg 2, Python's oldest and most used driver: libpq with the simple protocol. */
import { test } from 'node:test';
import { playProgram } from '../support/client-suite.ts';

const tests = playProgram('psycopg 2', {
  program: '/usr/bin/python3',
  args: ['psycopg2-guest.py'],
  probe: "/usr/bin/python3 -c 'import psycopg2'",
});

for (const [title, compare] of tests) test(title, compare);
