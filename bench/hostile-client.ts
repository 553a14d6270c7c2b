/** A client that sends what is made to keep others waiting: a thread, so that its own work delays nobody's clock. */
// oxlint-disable unicorn/require-post-message-target-origin -- a thread's port, not a window's
import { parentPort } from 'node:worker_threads';
import { pause } from '../src/base/index.ts';
import { WireClient, type WireLogin } from '../test/support/wire-client.ts';
import { Query } from '../src/wire/index.ts';

export const ATTACKS = ['nobody', '1 MB texts', 'nested parentheses', 'new digests'] as const;
export type Attack = (typeof ATTACKS)[number];

export interface HostileWork {
  readonly login: WireLogin;
  readonly attack: Attack;
  /** Numbers texts from here on: none is sent twice in a run, so that nothing is known of it. */
  readonly from: number;
}

const MB = 1024 * 1024;
const NESTED = 10_000;
/** How long nobody is hostile. */
const QUIET_MS = 1000;
/** How many statements, how many of them in one write, and each of them by its number. */
const WORK: Readonly<Record<Attack, readonly [count: number, atOnce: number, text: (id: number) => string]>> =
  {
    nobody: [0, 1, String],
    '1 MB texts': [40, 1, (id) => `SELECT ${id}, '${'x'.repeat(MB)}'`],
    'nested parentheses': [200, 1, (id) => `SELECT ${'('.repeat(NESTED)}${id}${')'.repeat(NESTED)}`],
    'new digests': [20_000, 50, (id) => `SELECT 1 AS a${id}`],
  };

/** How many statements an attack sends. */
export function statementsOf(attack: Attack): number {
  return WORK[attack][0];
}

parentPort?.once('message', (work: HostileWork) => {
  void attackAll(work).then(() => parentPort?.postMessage('done'));
});

async function attackAll({ login, attack, from }: HostileWork): Promise<void> {
  const [count, atOnce, text] = WORK[attack];
  const client = await WireClient.connect(login);
  if (count === 0) await pause(QUIET_MS);
  for (let sent = 0; sent < count; sent += atOnce) {
    client.send(Array.from({ length: atOnce }, (_, index) => Query(text(from + sent + index))));
    if (!(await client.answered()) || client.isClosed)
      throw new Error(`${attack}: no answer from ${login.host}:${login.port}`);
    client.lines.length = 0;
  }
  await client.end();
}
