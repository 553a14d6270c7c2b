/** `lab up --router pgpool`: the original router, fed by our watcher, through one round of faults. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { PGPOOL_PROGRAM } from '../../src/lab/index.ts';
import { placeForLab } from '../support/lab.ts';
import { type Figure, one, playRound, readsBy, sharesOf } from '../support/pgpool-rounds.ts';

/** A machine that runs all tests is slower than the aim, which the campaign `lab:pgpool` holds. */
const LIMITS = { writesMs: 60_000, readsMs: 120_000 };
const READS = 60;

test('pgpool-II reads near, follows each new primary and takes everybody back', {
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
  await one(host, 'CREATE TABLE written (at inet)');
  const figures: Figure[] = [];
  await playRound(lab, LIMITS, (figure) => figures.push(figure));
  for (const { what, writesMs, readsMs } of figures)
    t.diagnostic(`${what}: writes after ${Math.round(writesMs)} ms, reads after ${Math.round(readsMs)} ms`);
  assert.equal(figures.length, 5);
  const { cluster }: { cluster: { members: unknown[] } } = JSON.parse(await lab.verb('status', '--json'));
  assert.equal(cluster.members.length, 3);
});
