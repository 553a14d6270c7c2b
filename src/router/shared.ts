/** What all client connections of one router share. */
import type { FailureDelays } from '../auth/index.ts';
import type { Clock, Log } from '../base/index.ts';
import type { RouterConfig } from '../config/index.ts';
import type { RefusedReads } from '../routing/index.ts';
import type { Classifier } from '../sql/index.ts';
import type { Access } from './access.ts';
import type { AdminShared } from './admin-client.ts';
import type { PassOnCancel } from './cancel.ts';
import type { Catalogs } from './catalogs.ts';
import type { Counters } from './counters.ts';
import type { Decisions } from './decisions.ts';
import type { Flusher } from './flusher.ts';
import type { HoldRoom } from './hold.ts';
import type { Identity } from './identity.ts';
import type { Latencies } from './latencies.ts';
import type { LiveConfig } from './live-config.ts';
import type { NodeHealths } from './node-health.ts';
import type { Positions } from './positions.ts';
import type { ReadRoom } from './read-room.ts';
import type { Scratch } from './scratch.ts';
import type { Servers } from './servers.ts';
import type { Verifiers } from './verifiers.ts';
import type { ClusterWorld } from './world.ts';

export interface Shared {
  /** As it is now: see `live`, which exchanges it. A field, since V8 keeps an object literal with getters as a hash table. */
  config: RouterConfig;
  readonly live: LiveConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly world: ClusterWorld;
  readonly classifier: Classifier;
  readonly access: Access;
  readonly verifiers: Verifiers;
  readonly positions: Positions;
  readonly reads: ReadRoom;
  readonly health: NodeHealths;
  /** Logins that failed lately. */
  readonly failures: FailureDelays;
  readonly hold: HoldRoom;
  readonly counters: Counters;
  /** Reads that standbys have refused; decisions that clients asked to see. */
  readonly refused: RefusedReads;
  readonly decisions: Decisions;
  readonly servers: Servers;
  readonly catalogs: Catalogs;
  readonly admin: () => AdminShared;
  readonly latencies: Latencies;
  readonly flusher: Flusher;
  /** One read buffer for all clients; overwritten by the next read. */
  readonly clientBuffer: Scratch;
  readonly passOnCancel: PassOnCancel;
  /** There are more clients than may be served: the newest is refused once it has said who it is, and where it wants to. */
  readonly isFull: (database: string) => boolean;
  readonly forget: (client: Identity) => void;
}
