/** psycopg 3: libpq with the extended protocol and pipelines. */
import { test } from 'node:test';
import { playProgram } from '../support/client-suite.ts';

const tests = playProgram('psycopg 3', {
  program: '/usr/bin/python3',
  args: ['psycopg3-guest.py'],
  probe: "/usr/bin/python3 -c 'import psycopg'",
});

for (const [title, compare] of tests) test(title, compare);
