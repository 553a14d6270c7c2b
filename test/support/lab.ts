/** One lab for the tests of a file: an own folder and an own range of addresses, gone at the end. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LabLayout, labDown, labLayout, labPaths, labProcesses } from '../../src/lab/index.ts';
import { type Ended, matriarch } from './command.ts';

export interface TestLab {
  readonly folder: string;
  readonly baseOctet: number;
  readonly layout: LabLayout;
  /** Runs `matriarch lab <verb>` on this lab to its end. */
  readonly run: (verb: string, ...args: readonly string[]) => Promise<Ended>;
  /** The same, which must go well; what it printed. */
  readonly verb: (verb: string, ...args: readonly string[]) => Promise<string>;
  readonly end: () => Promise<void>;
}

const LAB_COMMAND_MS = 300_000;

/** A folder and addresses for a lab that is not started. */
export async function placeForLab(): Promise<TestLab> {
  const scratch = await mkdtemp(join(tmpdir(), 'matriarch-lab-'));
  await chmod(scratch, 0o755);
  // Made and removed by the lab itself.
  const folder = join(scratch, 'data');
  const baseOctet = randomInt(20, 60);
  const run = (verb: string, ...args: readonly string[]): Promise<Ended> =>
    matriarch(['lab', verb, '--data', folder, ...args], { cwd: tmpdir(), timeoutMs: LAB_COMMAND_MS });
  return {
    folder,
    baseOctet,
    layout: labLayout(baseOctet),
    run,
    verb: async (verb, ...args) => {
      const { status, out, err } = await run(verb, ...args);
      assert.equal(status, 0, `matriarch lab ${verb} ${args.join(' ')}:\n${out}${err}`);
      return out;
    },
    end: async () => {
      await labDown(folder, { graceful: false, purge: false });
      assert.deepEqual(labProcesses(labPaths(folder)), []);
      await rm(scratch, { recursive: true, force: true });
    },
  };
}
