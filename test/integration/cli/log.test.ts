/** The lines that a running process logs. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../../support/sources.ts';

/** Logs in a process of its own, for the log writes to a file descriptor. */
function logged(format: 'json' | 'text' | 'auto', calls: string): string {
  const module = JSON.stringify(join(ROOT, 'dist', 'src', 'cli', 'log.js'));
  const script = `import(${module}).then(async ({ createLog }) => {
    const top = await createLog({ level: 'info', format: '${format}', isTerminal: false, fd: 1 });
    const log = top.child({ host: 'db-sib-01' });
    ${calls}
  })`;
  return spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 10_000 }).stdout;
}

test('a line is JSON with level, time, event and the fields; what is below the level is not written', () => {
  const out = logged(
    'auto',
    `log.debug('seen'); log.info('lease-lost', { term: 3, password: 'geheim' }); process.kill(process.pid, 'SIGKILL')`,
  );
  const { time, ...rest } = JSON.parse(out);
  assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(rest, {
    level: 'info',
    host: 'db-sib-01',
    term: 3,
    password: '[Redacted]',
    event: 'lease-lost',
  });
});

test('an error among the fields is one line with its code', () => {
  const out = logged(
    'json',
    `log.error('failed', { cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) })`,
  );
  assert.equal(JSON.parse(out).cause, 'refused (ECONNREFUSED)');
});

test('text has time, level, event and the fields on one line', () => {
  assert.match(
    logged('text', `log.warn('lease-lost', { term: 3 })`),
    /^\[\d\d:\d\d:\d\d\.\d{3}\] WARN: lease-lost \{"host":"db-sib-01","term":3\}\n$/,
  );
});

test('a field named again in a line is in it once, with the newer value', () => {
  assert.match(
    logged('json', `log.info('moved', { host: 'db-sib-03' })`),
    /^(?!.*host.*host).*"host":"db-sib-03"/,
  );
});
