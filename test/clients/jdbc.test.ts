/** JDBC: a program of one source file, which `java` compiles as it starts; that takes a JDK. */
import { test } from 'node:test';
import { playProgram } from '../support/client-suite.ts';

const DRIVER = '/usr/share/java/postgresql.jar';

const tests = playProgram('JDBC', {
  program: '/usr/bin/java',
  args: ['-XX:+UseSerialGC', '-cp', DRIVER, 'Jdbc.java'],
  probe: `test -e ${DRIVER} && /usr/bin/java --list-modules | grep -q jdk.compiler`,
});

for (const [title, compare] of tests) test(title, compare);
