/** DBD::Pg: Perl. */
import { test } from 'node:test';
import { playProgram } from '../support/client-suite.ts';

const tests = playProgram('DBD::Pg', {
  program: '/usr/bin/perl',
  args: ['dbd-pg-guest.pl'],
  probe: '/usr/bin/perl -MDBD::Pg -e 1',
});

for (const [title, compare] of tests) test(title, compare);
