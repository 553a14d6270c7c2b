/** SQLAlchemy: pool, core and ORM over psycopg 2. */
import { playProgram } from '../support/client-suite.ts';

playProgram('SQLAlchemy', {
  program: '/usr/bin/python3',
  args: ['sqlalchemy-guest.py'],
  probe: "/usr/bin/python3 -c 'import sqlalchemy, psycopg2'",
});
