/** asyncpg: a protocol implementation of its own, binary throughout. */
import { playProgram } from '../support/client-suite.ts';

playProgram('asyncpg', {
  program: '/usr/bin/python3',
  args: ['asyncpg-guest.py'],
  probe: "/usr/bin/python3 -c 'import asyncpg'",
});
