/** `npm run demo` keeps its promises: shares of reads, writes at the primary, failover, nothing lost, nothing left. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type DemoResult, labPaths, labProcesses } from '../../src/lab/index.ts';
import { startMatriarch } from '../support/command.ts';
import { placeForLab } from '../support/lab.ts';

const LOCAL_PERCENT = 100 * (10 / 12);
const REMOTE_PERCENT = 100 * (1 / 12);

test('the demo shows reads by weight, a failover within 8 s without a lost write, and a rejoin', async (t) => {
  const lab = await placeForLab();
  t.after(lab.end);
  const printed = await lab.verb('demo', '--json', '--base-octet', String(lab.baseOctet));
  const result: DemoResult = JSON.parse(printed);
  t.diagnostic(printed.trim());
  assert.ok(result.upSeconds < 30, `up in ${result.upSeconds} s`);
  assert.ok(result.readsPerHost >= 20_000);
  for (const [index, host] of lab.layout.appHosts.entries()) {
    for (const [other, node] of lab.layout.dbHosts.entries()) {
      const share = result.readShares[host.name]?.[node.name] ?? 0;
      const wanted = index === other ? LOCAL_PERCENT : REMOTE_PERCENT;
      assert.ok(
        Math.abs(share - wanted) <= 1,
        `${host.name} read ${share} % at ${node.name}, configured ${wanted} %`,
      );
    }
  }
  assert.equal(result.writesElsewhere, 0);
  assert.ok(
    result.outageSeconds > 0 && result.outageSeconds <= 8,
    `writes were away for ${result.outageSeconds} s`,
  );
  assert.ok(result.acknowledged > 1000, `${result.acknowledged} writes were acknowledged`);
  assert.equal(result.lost, 0);
  assert.equal(result.droppedConnections, 0);
  // Each writer has at most one statement in doubt; nothing else is told to a client.
  assert.deepEqual(
    Object.keys(result.clientErrors).filter((code) => code !== '08007'),
    [],
  );
  assert.notEqual(result.newPrimary, 'db-sib-01');
  assert.deepEqual(labProcesses(labPaths(lab.folder)), []);
  assert.equal(existsSync(lab.folder), false);
});

for (const afterMs of [700, 2500, 6000, 16_000]) {
  test(`a demo that is interrupted after ${afterMs} ms leaves no process and no data`, async (t) => {
    const lab = await placeForLab();
    t.after(lab.end);
    const args = ['lab', 'demo', '--data', lab.folder, '--base-octet', String(lab.baseOctet)];
    const { child, ended } = startMatriarch(args, { cwd: tmpdir(), timeoutMs: 60_000 });
    await pause(afterMs);
    child.kill('SIGINT');
    // A second one, as an impatient person sends it, must not cut the clearing up short.
    await pause(50);
    child.kill('SIGINT');
    const { status, err } = await ended;
    assert.ok(status === 1 || status === 130, `${status}: ${err}`);
    assert.doesNotMatch(err, /bug in matriarch/);
    assert.deepEqual(labProcesses(labPaths(lab.folder)), []);
    assert.equal(existsSync(lab.folder), false);
  });
}
