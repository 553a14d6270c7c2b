/** Django's ORM over psycopg 2. */
import { playProgram } from '../support/client-suite.ts';

playProgram('Django', {
  program: '/usr/bin/python3',
  args: ['django-guest.py'],
  probe: "/usr/bin/python3 -c 'import django, psycopg2'",
});
