/** The version of this package, from its own package.json. */
import { readFileSync } from 'node:fs';
import { assert } from '../base/index.ts';

export function packageVersion(): string {
  // Compiled, this file is dist/src/cli/version.js.
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  const parsed: unknown = JSON.parse(text);
  assert(typeof parsed === 'object' && parsed !== null && 'version' in parsed, 'package.json has a version');
  return String(parsed.version);
}
