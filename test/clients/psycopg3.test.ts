/** psycopg 3: libpq with the extended protocol and pipelines. */
import { playProgram } from '../support/client-suite.ts';

playProgram('psycopg 3', {
  program: '/usr/bin/python3',
  args: ['psycopg3-guest.py'],
  probe: "/usr/bin/python3 -c 'import psycopg'",
});
