/** What changes whenever a file is written or replaced: where it is, its size and times. Reads nothing of it. */
import { statSync } from 'node:fs';
import type { RouterConfig } from '../config/index.ts';

export function fileStamp(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined ? '-' : `${found.ino} ${found.size} ${found.mtimeMs} ${found.ctimeMs}`;
}

/** Of all files that a configuration names. */
export function stampOfNamed(config: RouterConfig): string {
  return Object.entries(config)
    .filter(([key]) => key.endsWith('_file') && key !== 'pid_file')
    .map(([, file]) => (typeof file === 'string' ? fileStamp(file) : '-'))
    .join('\n');
}
