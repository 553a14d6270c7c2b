/** Prisma, by its driver adapter. */
import { test } from 'node:test';
import { playProgram } from '../support/client-suite.ts';

const tests = playProgram('Prisma', {
  program: process.execPath,
  args: ['prisma-guest.mjs'],
  // It comes from npm: where it could not be generated the tests fail, and are not skipped.
  probe: 'true',
});

for (const [title, compare] of tests) test(title, compare);
