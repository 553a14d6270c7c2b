/** `lab up --router pgpool`: the original router, fed by our watcher. `npm run lab:pgpool` plays rounds of faults with it. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { PGPOOL_PROGRAM } from '../../src/lab/index.ts';
import { placeForLab } from '../support/lab.ts';
import { readsBy, sharesOf } from '../support/pgpool-rounds.ts';

const READS = 60;

test('pgpool-II gets the shares of its own datacenter from the watcher, and reads near', {
  skip: !existsSync(PGPOOL_PROGRAM) && 'there is no pgpool-II',
}, async (t) => {
  const lab = await placeForLab();
  t.after(() => lab.end());
  await lab.verb('up', '--router', 'pgpool', '--base-octet', String(lab.baseOctet));
  assert.deepEqual(await sharesOf(lab), {
    'apps-sib-01': ['10.0', '1.0', '1.0'],
    'apps-sib-03': ['1.0', '10.0', '1.0'],
    'apps-fsn-01': ['1.0', '1.0', '10.0'],
  });
  const [host] = lab.layout.appHosts;
  const [near = 0] = await readsBy(host, lab, READS);
  // 50 are expected, with a deviation of 2.9.
  assert.ok(near >= 35, `${near} of ${READS} reads were served near`);
});
