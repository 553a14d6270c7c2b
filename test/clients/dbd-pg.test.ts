/** DBD::Pg: Perl. */
import { playProgram } from '../support/client-suite.ts';

playProgram('DBD::Pg', {
  program: '/usr/bin/perl',
  args: ['dbd-pg-guest.pl'],
  probe: '/usr/bin/perl -MDBD::Pg -e 1',
});
