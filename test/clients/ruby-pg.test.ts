/** Ruby's pg. */
import { test } from 'node:test';
import { playProgram } from '../support/client-suite.ts';

const tests = playProgram('Ruby pg', {
  program: '/usr/bin/ruby',
  args: ['ruby-pg-guest.rb'],
  probe: '/usr/bin/ruby -r pg -e 1',
});

for (const [title, compare] of tests) test(title, compare);
