/** Django's ORM over psycopg 2. */
import { test } from 'node:test';
import { playProgram } from '../support/client-suite.ts';

const tests = playProgram('Django', {
  program: '/usr/bin/python3',
  args: ['django-guest.py'],
  probe: "/usr/bin/python3 -c 'import django, psycopg2'",
});

for (const [title, compare] of tests) test(title, compare);
