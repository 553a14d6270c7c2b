/** asyncpg: a protocol implementation of its own, binary throughout. */
import { test } from 'node:test';
import { playProgram } from '../support/client-suite.ts';

const tests = playProgram('asyncpg', {
  program: '/usr/bin/python3',
  args: ['asyncpg-guest.py'],
  probe: "/usr/bin/python3 -c 'import asyncpg'",
});

for (const [title, compare] of tests) test(title, compare);
