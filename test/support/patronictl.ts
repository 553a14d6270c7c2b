/** Debian's `patronictl`, run as an operator runs it: with a file of its own, and etcd known from that. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { scratchFolder } from './scratch.ts';

const PROGRAM = '/usr/bin/patronictl';

/** Why it cannot be run here; false when it can. */
export const noPatronictl: string | false = existsSync(PROGRAM)
  ? false
  : 'Debian’s package patroni is not installed';

export interface Ran {
  readonly status: number;
  /** Standard output and error together, as a terminal shows them. */
  readonly text: string;
}

/** A runner for the cluster `herd` of `someHosts`; `input` answers what it asks. */
export async function patronictl(
  scope: { readonly after: (end: () => Promise<void>) => void },
  etcd: readonly string[],
  more: Readonly<Record<string, unknown>> = {},
): Promise<(args: readonly string[], input?: string) => Promise<Ran>> {
  const file = join(await scratchFolder(scope), 'patronictl.yaml');
  const hosts = etcd.map((url) => new URL(url).host);
  await writeFile(file, stringify({ scope: 'herd', namespace: '/service/', etcd3: { hosts }, ...more }));
  return async (args, input = '') =>
    await new Promise((resolve) => {
      const child = execFile(
        PROGRAM,
        ['-c', file, ...args],
        {
          timeout: 60_000,
          env: { LC_ALL: 'C.UTF-8', PATH: '/usr/bin:/bin', COLUMNS: '200', HOME: '/nonexistent' },
        },
        (error, stdout, stderr) => {
          const status = error === null ? 0 : typeof error.code === 'number' ? error.code : 255;
          resolve({ status, text: `${stdout}${stderr}` });
        },
      );
      child.stdin?.end(input);
    });
}
