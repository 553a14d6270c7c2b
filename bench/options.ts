/** What `npm run bench -- …` can be told. */
import { parseArgs } from 'node:util';
import { parseDuration } from '../src/base/index.ts';
import { PROTOCOLS, type Protocol } from './load.ts';
import { PEER_NAMES, type PeerName } from './peers.ts';

export interface BenchOptions {
  readonly mode: 'help' | 'compare' | 'idle' | 'hostile' | 'profile';
  readonly profiler: 'v8' | 'perf';
  readonly idleClients: number;
  readonly peers: readonly PeerName[];
  readonly protocols: readonly Protocol[];
  readonly clients: readonly number[];
  readonly rounds: number;
  readonly windowMs: number;
  readonly poolSize: number;
  readonly scale: number;
}

export const USAGE = `Usage: npm run bench -- [options]

  --quick             about two minutes: 3 rounds of 600ms a load; else 5 rounds of 3s
  --idle N            memory and latency with N idle clients instead
  --hostile           how long a client waits while another one sends what is made to be expensive, instead
  --profile           our router alone under V8's profiler instead, a load a protocol; the file it leaves is for a
                      browser's developer tools
  --perf              the same by Linux's perf, which tells time on a core from time on the wall
  --peers LIST        of ${PEER_NAMES.join(', ')}; all but pass-through by
                      default, which is the least that a proxy in Node.js costs
  --protocols LIST    of ${PROTOCOLS.join(', ')}; all by default
  --clients LIST      numbers of clients: 1,16,64 by default; 16 with --profile
  --rounds N          how often each load is run
  --window DURATION   how long each load is measured; 5s with --profile, 3s with --idle
  --pool-size N       server connections of each proxy; as many as the most clients by default
  --scale N           pgbench's scale: 10 by default (150 MB)
`;

/** Parses the arguments; throws an error whose message is for the user. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      perf: { type: 'boolean', default: false },
      idle: { type: 'string' },
      hostile: { type: 'boolean', default: false },
      peers: { type: 'string' },
      protocols: { type: 'string', default: PROTOCOLS.join(',') },
      clients: { type: 'string' },
      rounds: { type: 'string' },
      window: { type: 'string' },
      'pool-size': { type: 'string' },
      scale: { type: 'string', default: '10' },
    },
  });
  const mode = modeOf(values);
  const clients = list(values.clients ?? (mode === 'profile' ? '16' : '1,16,64')).map((text) =>
    count('--clients', text),
  );
  const window = values.window ?? defaultWindow(mode, values.quick);
  const windowMs = parseDuration(window);
  if (windowMs === undefined || windowMs <= 0)
    throw new Error(`--window: expected a duration such as 600ms, not ${window}`);
  return {
    mode,
    profiler: values.perf ? 'perf' : 'v8',
    idleClients: count('--idle', values.idle ?? '1'),
    peers: chosen('--peers', values.peers ?? defaultPeers(mode), PEER_NAMES),
    protocols: chosen('--protocols', values.protocols, PROTOCOLS),
    clients,
    rounds: count('--rounds', values.rounds ?? (values.quick ? '3' : '5')),
    windowMs,
    poolSize: count('--pool-size', values['pool-size'] ?? String(Math.max(...clients))),
    scale: count('--scale', values.scale),
  };
}

function modeOf(values: Readonly<Record<string, unknown>>): BenchOptions['mode'] {
  if (values['help'] === true) return 'help';
  if (values['profile'] === true || values['perf'] === true) return 'profile';
  if (values['hostile'] === true) return 'hostile';
  return values['idle'] === undefined ? 'compare' : 'idle';
}

function defaultWindow(mode: BenchOptions['mode'], isQuick: boolean): string {
  if (mode === 'profile') return '5s';
  return isQuick && mode === 'compare' ? '600ms' : '3s';
}

/** pgpool-II has a process a client: thousands of idle ones are not for it. */
function defaultPeers(mode: BenchOptions['mode']): string {
  return mode === 'idle'
    ? 'pgbouncer,matriarch'
    : PEER_NAMES.filter((name) => name !== 'pass-through').join(',');
}

function list(text: string): readonly string[] {
  return text.split(',').map((each) => each.trim());
}

function chosen<T extends string>(option: string, text: string, known: readonly T[]): readonly T[] {
  const names = list(text);
  const unknown = names.find((name) => !known.some((each) => each === name));
  if (unknown !== undefined)
    throw new Error(`${option}: there is no ${unknown}; there are ${known.join(', ')}`);
  return known.filter((each) => names.includes(each));
}

function count(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 100_000)
    throw new Error(`${option}: expected a whole number from 1 to 100000, not ${text}`);
  return value;
}
