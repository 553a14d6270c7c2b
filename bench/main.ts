/**
 * `npm run bench`: our router beside PgBouncer, pgpool-II and a direct connection, on this machine, in one run. This
 * file brings up the stage, runs what was asked for, and takes everything down again, also when it is interrupted.
 */
import { describe } from '../src/base/index.ts';
import { compare } from './compare.ts';
import { Ends } from './ends.ts';
import { measureHostile } from './hostile.ts';
import { type IdleResult, measureIdle } from './idle.ts';
import { type BenchOptions, parseOptions, USAGE } from './options.ts';
import { type Peer, type PeerOptions, startPeer } from './peers.ts';
import { profileByPerf } from './perf.ts';
import { profile } from './profile.ts';
import { renderCells, renderHostile, renderIdle } from './report.ts';
import { aStage, type Stage } from './stage.ts';
import { surroundings } from './surroundings.ts';

/** Clients beyond those of the load: probes, and the connections that ask how much was served. */
const SPARE_CLIENTS = 100;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

/** Proxies end before their server: else they would complain, and connect to nobody. */
const programs = new Ends();
const servers = new Ends();
let isInterrupted = false;

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    isInterrupted = true;
    void takeDown().finally(() => process.exit(EXIT_INTERRUPTED));
  });
}
await main();

async function main(): Promise<void> {
  let options: BenchOptions;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (cause) {
    process.stderr.write(`bench: ${describe(cause)}\n\n${USAGE}`);
    process.exitCode = EXIT_USAGE;
    return;
  }
  if (options.mode === 'help') {
    process.stdout.write(USAGE);
    return;
  }
  try {
    await run(options);
  } catch (cause) {
    // What was interrupted fails for want of its servers.
    if (isInterrupted) return;
    process.stderr.write(`bench: ${describe(cause)}\n`);
    process.exitCode = 1;
  } finally {
    await takeDown();
  }
}

async function takeDown(): Promise<void> {
  await programs.end();
  await servers.end();
}

async function run(options: BenchOptions): Promise<void> {
  const startedAt = performance.now();
  tell('starting PostgreSQL and etcd, filling the tables');
  const stage = await aStage(servers, { scale: options.scale, programs });
  print(await surroundings(stage, options));
  const { poolSize, idleClients, clients } = options;
  const activeClients = Math.max(...clients);
  const clientsMax = Math.max(idleClients, activeClients) + SPARE_CLIENTS;
  const peerOptions: PeerOptions = { poolSize, activeClients, clientsMax };
  const started = async (): Promise<readonly Peer[]> => {
    const peers: Peer[] = [];
    for (const name of options.peers) peers.push(await startPeer(name, stage, peerOptions));
    return peers;
  };
  switch (options.mode) {
    case 'help':
      return;
    case 'profile':
      for (const protocol of options.protocols) {
        for (const count of clients) {
          const load = { protocol, clients: count, windowMs: options.windowMs };
          const take = options.profiler === 'perf' ? profileByPerf : profile;
          print(await take(stage, load, peerOptions));
        }
      }
      return;
    case 'idle':
      print(renderIdle(await idle(stage, options, peerOptions)));
      return;
    case 'hostile':
      print(renderHostile(await measureHostile(await started(), options.rounds, tell)));
      return;
    case 'compare': {
      const peers = await started();
      const { cells, transactions, problems } = await compare(stage, peers, options, tell);
      print(renderCells(cells));
      if (problems.length > 0) throw new Error(problems.join('\n'));
      await programs.end();
      await checkServer(stage, transactions);
      const tookSeconds = ((performance.now() - startedAt) / 1000).toFixed(0);
      print(
        `${transactions} transactions, 0 failed, each counted by its proxy and by the server; ${tookSeconds} s in all\n`,
      );
    }
  }
}

async function idle(
  stage: Stage,
  options: BenchOptions,
  peerOptions: PeerOptions,
): Promise<ReadonlyMap<string, IdleResult>> {
  const results = new Map<string, IdleResult>();
  for (const name of options.peers.filter((each) => each !== 'direct')) {
    tell(`opening ${options.idleClients} clients through ${name}`);
    const peer = await startPeer(name, stage, peerOptions);
    const load = { clients: options.idleClients, windowMs: options.windowMs };
    results.set(name, await measureIdle(stage, peer, load));
  }
  return results;
}

/** The server's own count, complete once every connection of a proxy has ended. */
async function checkServer(stage: Stage, transactions: number): Promise<void> {
  const served = await stage.servedByServer();
  if (served < transactions)
    throw new Error(`the server counts ${served} transactions where pgbench counts ${transactions}`);
}

function tell(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
