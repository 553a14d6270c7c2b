/**
 * The peers of the bench, each started in front of the same server on a loopback address of its own, with its
 * configuration in a folder of its own. A peer can say how much it has served, so that no load can pass it by.
 */
import type { Address } from '../src/base/index.ts';
import type { Protocol } from './load.ts';
import { startMatriarch } from './matriarch.ts';
import { startPassThrough } from './pass-through.ts';
import { startPgbouncer } from './pgbouncer.ts';
import { startPgpool } from './pgpool.ts';
import { authenticationOf } from './probe.ts';
import type { Stage } from './stage.ts';

export const PEER_NAMES = ['direct', 'pgbouncer', 'pgpool', 'pass-through', 'matriarch'] as const;
export type PeerName = (typeof PEER_NAMES)[number];

export interface Peer {
  readonly name: PeerName;
  readonly address: Address;
  /** Its name of the database for this protocol, where that is not the server's. */
  readonly databaseFor?: Partial<Record<Protocol, string>>;
  /** Root of its processes; undefined for none at all. */
  readonly pid: number | undefined;
  /** Transactions that it says it has served since it started. */
  readonly served: () => Promise<number>;
  /** The share of them that it may fail to count, from 0 to 1; none if not given. */
  readonly servedMissing?: number;
}

export interface PeerOptions {
  /** Server connections that a peer may have in transaction mode; in session mode it needs one a client. */
  readonly poolSize: number;
  /** The most clients with work. */
  readonly activeClients: number;
  readonly clientsMax: number;
  /** More options for the Node.js process of our router. */
  readonly nodeOptions?: readonly string[];
}

const START: Readonly<Record<PeerName, (stage: Stage, options: PeerOptions) => Promise<Peer>>> = {
  direct: (stage) =>
    Promise.resolve({ name: 'direct', address: stage.server, pid: undefined, served: stage.servedByServer }),
  pgbouncer: startPgbouncer,
  pgpool: startPgpool,
  'pass-through': startPassThrough,
  matriarch: startMatriarch,
};

/** Starts one peer; it takes clients, and asks them for SCRAM, when this resolves. */
export async function startPeer(name: PeerName, stage: Stage, options: PeerOptions): Promise<Peer> {
  const peer = await START[name](stage, options);
  const asked = await authenticationOf(peer.address);
  if (asked !== 'SCRAM-SHA-256') throw new Error(`${name} asks for ${asked}, not for SCRAM-SHA-256`);
  return peer;
}
