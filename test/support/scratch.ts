/** Scratch folders for tests: removed at the end of the test, readable by the unprivileged user PostgreSQL runs as. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The variable that names the folder of a run of all tests: scripts/test-run.mjs. */
export const RUN_FOLDER = 'MATRIARCH_TEST_RUN';

/** A place to register the end: a `TestContext`, a suite, or a run of the bench. */
export interface Scope {
  readonly after: (end: () => Promise<void>) => void;
}

/** A new folder, gone when `t` ends. */
export async function scratchFolder(t: Scope): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'matriarch-test-'));
  await chmod(folder, 0o755);
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
