/** psycopg 2, Python's oldest and most used driver: libpq with the simple protocol. */
import { playProgram } from '../support/client-suite.ts';

playProgram('psycopg 2', {
  program: '/usr/bin/python3',
  args: ['psycopg2-guest.py'],
  probe: "/usr/bin/python3 -c 'import psycopg2'",
});
