/** What a session is given and what it tells its shell: the border between the pure part and the sockets. */
import type { RouterConfig } from '../config/index.ts';
import type { Rule } from '../routing/index.ts';
import type { Classification, Classifier } from '../sql/index.ts';
import type { ErrorFields } from '../wire/index.ts';
import type { Lender } from './lender.ts';
import type { Link } from './link.ts';
import type { PreparedLimits } from './prepared.ts';
import type { ReadEffects, ReadKnowledge } from './reads.ts';
import type { HoldReason, LossReason, RouteReason } from './route.ts';
import type { ServerNames } from './server-names.ts';
import type { ServerParameters } from './server-parameters.ts';
import type { Settings } from './settings.ts';
import type { Tally } from './tally.ts';
import type { Unit } from './unit.ts';
import type { SessionRouting } from './wisher.ts';
import type { World } from './world.ts';

/** Effects. `toClient` and `Wire.write` gather; the shell flushes at the end of each event. */
export interface SessionEffects extends Lender, ReadEffects {
  /** May alias the chunk being received: use it before returning. */
  readonly toClient: (bytes: Buffer) => void;
  /**
   * Tell the server to cancel what it does on this connection; it is not lent to others until that is over, which
   * `ended` says.
   */
  readonly cancelAt: (link: Link, ended: () => void) => void;
  /** Nothing more can be said to this client: close after what was written. */
  readonly endClient: () => void;
  /** The session waits from now on and wants `tick`; false: there is no room to wait. */
  readonly hold: (because: HoldReason) => boolean;
  readonly unhold: (outcome: 'went-on' | 'gave-up' | 'ended') => void;
  /** Stop, or go on, reading from the client. */
  readonly backlog: (isFull: boolean) => void;
  /** So long has the client been heard, since `since` (monotonic ms), that others have to be served first. */
  readonly isTurnOver: (since: number) => boolean;
  /** Ask for `Intake.nextTurn` when they have been. */
  readonly nextTurn: () => void;
  /** A statement was sent to a member. */
  readonly counted: (member: string, kind: 'read' | 'write') => void;
  /** The same, for a client that wants to know why. */
  readonly decided: (member: string, unit: Unit) => void;
  /** A unit of work was answered by a member `ms` after it was sent. */
  readonly served: (member: string, kind: 'read' | 'write', ms: number) => void;
  /** A statement was understood: what it is, and why. */
  readonly routed: (kind: Classification['kind'], because: RouteReason) => void;
  /** A server connection is gone. */
  readonly serverLost: (because: LossReason) => void;
  /** The router answered with an error of its own. */
  readonly replied: (sqlstate: string) => void;
  readonly note: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

export type SessionConfig = Pick<RouterConfig, 'hold_timeout' | 'retry_reads' | 'first_statement_decides'> & {
  readonly rules: readonly Rule[];
};

export interface SessionOptions {
  readonly world: World;
  readonly classifier: Classifier;
  readonly routing: SessionRouting;
  readonly knowledge: ReadKnowledge;
  readonly serverNames: ServerNames;
  /** What is done is counted there. */
  readonly tally: Tally;
  readonly effects: SessionEffects;
  /** What the client asked for at its start and a pool's connections do not start with. */
  readonly settings: Settings;
  /** It asked for transactions that are serializable. */
  readonly isSerializable?: boolean;
  /** As PostgreSQL shows the name that the client began with. */
  readonly applicationName: string;
  /** With which it has begun, if not with the role's. */
  readonly searchPath?: string | undefined;
  readonly isSessionMode: boolean;
  /** After code that nobody looked into (functions, procedures) the server is asked what it has left. */
  readonly auditsCode: boolean;
  /** What the client is told of the parameters of the connection that it begins on. */
  readonly welcome: (parameters: ServerParameters) => ServerParameters;
  readonly processId: number;
  readonly secretKey: Buffer;
  /** As it is now. A function, and no getter here or in `routing`: V8 keeps an object literal with getters as a hash table. */
  readonly config: () => SessionConfig;
  readonly preparedLimits?: PreparedLimits;
}

/** Why a server connection could not be opened. */
export type OpenFailure =
  | { readonly kind: 'unreachable'; readonly because: string }
  | { readonly kind: 'refused'; readonly fields: ErrorFields };

/** Why a server connection could not be borrowed. `full`: none became free in time. */
export type BorrowFailure = OpenFailure | { readonly kind: 'full'; readonly waitedMs: number };
