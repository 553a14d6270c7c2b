/** One lab for the tests of a file: an own folder and an own range of addresses, gone at the end. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { labDown, type LabLayout, labLayout, labPaths, labProcesses } from '../../src/lab/index.ts';
import { matriarch } from './matriarch.ts';

export interface TestLab {
  readonly folder: string;
  readonly baseOctet: number;
  readonly layout: LabLayout;
  /** Runs `matriarch lab <verb>` on this lab, and asserts that it went well. */
  readonly verb: (verb: string, ...args: readonly string[]) => Promise<string>;
  readonly end: () => Promise<void>;
}

/** A folder and addresses for a lab that is not started. */
export async function placeForLab(): Promise<TestLab> {
  const folder = await mkdtemp(join(tmpdir(), 'matriarch-lab-'));
  await chmod(folder, 0o755);
  const baseOctet = randomInt(20, 60);
  return {
    folder,
    baseOctet,
    layout: labLayout(baseOctet),
    verb: async (verb, ...args) => {
      const { code, stdout, stderr } = await matriarch(['lab', verb, '--data', folder, ...args]);
      assert.equal(code, 0, `matriarch lab ${verb} ${args.join(' ')}:\n${stdout}${stderr}`);
      return stdout;
    },
    end: async () => {
      await labDown(folder, { graceful: false, purge: false });
      assert.deepEqual(await labProcesses(labPaths(folder)), []);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
