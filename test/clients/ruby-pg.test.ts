/** Ruby's pg. */
import { playProgram } from '../support/client-suite.ts';

playProgram('Ruby pg', {
  program: '/usr/bin/ruby',
  args: ['ruby-pg-guest.rb'],
  probe: '/usr/bin/ruby -r pg -e 1',
});
