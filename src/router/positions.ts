/**
 * Where the members are in the WAL, as one poller for all sessions of a router finds out: each member is asked on a
 * connection of the router's own, in its own time, so that one that is slow delays nobody. No contact, no position: what
 * a member said is forgotten as soon as its connection is lost or it does not answer in time.
 */
import {
  type Address,
  background,
  type Clock,
  describe,
  type Log,
  MatriarchError,
  pause,
  rethrowBug,
} from '../base/index.ts';
import { hasReached, type Position } from '../routing/index.ts';
import type { ErrorFields } from '../wire/index.ts';
import { isPassing } from './lookup-question.ts';
import { askHowFar, askWhatItIs } from './node-question.ts';
import { OwnConnection } from './own-connection.ts';
import type { ServerTls } from './server-tls.ts';
import type { Credential } from './verifiers.ts';

export interface PositionsOptions {
  /** As they are now. */
  readonly settings: () => PositionSettings;
  /** As whom to ask; rejects if nobody is known. */
  readonly credential: () => Promise<Credential>;
  /** The credential was of no use. */
  readonly forgetCredential: () => void;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** A member has answered; not `isWhole`: only how far it is is news, and its transactions. */
  readonly answered: (member: string, position: Position, isWhole: boolean) => void;
  /** It has not, or its connection was lost. Not called for what is our fault: no credential, a wrong one. */
  readonly silent: (member: string, because: string) => void;
}

export interface PositionSettings {
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly database: string;
  readonly tls: ServerTls;
}

/** A member and how to reach it from here. */
export interface MemberPlace extends Address {
  readonly name: string;
}

/** While somebody waits for a member to get somewhere, it is asked this long after its last answer. */
const WATCH_PAUSE_MS = 5;
/** One of which nothing is heard is asked so often: for it to be back soon, and not to fill its log. */
const SILENT_PERIOD_MS = 500;

export class Positions {
  readonly #options: PositionsOptions;
  readonly #members = new Map<string, Asking>();
  #connections = 0;

  constructor(options: PositionsOptions) {
    this.#options = options;
  }

  /** What the member said last, if there is contact with it; its age is that of `askedAt`. */
  latest(member: string): Position | undefined {
    return this.#members.get(member)?.latest;
  }

  /** What the member says to a question that is sent after this call; shared by all who ask meanwhile. Bounded. */
  async ask(member: string): Promise<Position | undefined> {
    return await this.#members.get(member)?.ask();
  }

  /**
   * The member's position once reads there see all up to `lsn`; undefined: not before `deadline` (monotonic ms), or there
   * is no contact with it, or the signal was aborted.
   */
  async watch(
    member: string,
    lsn: number,
    { deadline, signal }: { readonly deadline: number; readonly signal?: AbortSignal },
  ): Promise<Position | undefined> {
    const { clock } = this.#options;
    const known = this.latest(member);
    if (known !== undefined && hasReached(known, lsn)) return known;
    for (;;) {
      const leftMs = deadline - clock.now();
      if (leftMs <= 0 || signal?.aborted === true) return undefined;
      const over = new AbortController();
      const isOver = pause(
        leftMs,
        signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]),
      );
      const position = await Promise.race([this.ask(member), isOver.then(() => undefined)]);
      over.abort();
      if (position === undefined) return undefined;
      if (hasReached(position, lsn)) return position;
      await pause(Math.min(WATCH_PAUSE_MS, Math.max(0, deadline - clock.now())), signal);
    }
  }

  /** These are the members now. They are asked again and again if they are several; one alone has nobody to be compared with. */
  setMembers(places: readonly MemberPlace[]): void {
    const isPolled = places.length > 1;
    for (const [name, asking] of this.#members) {
      const place = places.find((one) => one.name === name);
      if (place !== undefined && asking.isAt(place) && asking.isPolled === isPolled) continue;
      this.#members.delete(name);
      asking.close();
    }
    for (const place of places) {
      if (this.#members.has(place.name) || this.#options.signal.aborted) continue;
      const asking = new Asking({
        ...this.#options,
        place,
        isPolled,
        nextConnection: () => ++this.#connections,
      });
      this.#members.set(place.name, asking);
      if (isPolled) background(this.#options.log, `asking ${place.name} again and again`, asking.poll());
    }
  }

  /** The way to the members has changed: the next question goes over a new connection. */
  reconnect(): void {
    for (const asking of this.#members.values()) asking.isOutdated = true;
  }

  close(): void {
    this.setMembers([]);
  }
}

interface AskingOptions extends PositionsOptions {
  readonly place: MemberPlace;
  readonly isPolled: boolean;
  readonly nextConnection: () => number;
}

/** The questions to one member, and its connection while it has one. */
class Asking {
  latest: Position | undefined = undefined;
  /** Its connection was made in a way that is not the present one. */
  isOutdated = false;
  readonly #options: AskingOptions;
  readonly #closing = new AbortController();
  #connection: OwnConnection | undefined = undefined;
  #connectionNumber = 0;
  #connectedAt: number | undefined = undefined;
  /** A question is under way: its end tells of a loss. */
  #isAsking = false;
  /** The next question is for all that it can say; others are only about how far it is. */
  #isWholeDue = true;
  #running: Promise<unknown> = Promise.resolve();
  #next: Promise<Position | undefined> | undefined = undefined;
  #isSilent = false;

  constructor(options: AskingOptions) {
    this.#options = options;
  }

  get isPolled(): boolean {
    return this.#options.isPolled;
  }

  isAt({ host, port }: Address): boolean {
    return this.#options.place.host === host && this.#options.place.port === port;
  }

  async poll(): Promise<void> {
    const signal = AbortSignal.any([this.#options.signal, this.#closing.signal]);
    while (!signal.aborted) {
      this.#isWholeDue = true;
      const position = await this.ask();
      const { periodMs } = this.#options.settings();
      await pause(position === undefined ? SILENT_PERIOD_MS : periodMs, signal);
    }
    this.close();
  }

  async ask(): Promise<Position | undefined> {
    this.#next ??= this.#askAfter(this.#running);
    return await this.#next;
  }

  close(): void {
    this.#closing.abort();
    this.#disconnect();
  }

  /** Whatever was known was known over the connection. */
  #disconnect(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    this.latest = undefined;
    connection?.close();
  }

  async #askAfter(before: Promise<unknown>): Promise<Position | undefined> {
    await before;
    const asking = this.#askNow();
    this.#running = asking;
    this.#next = undefined;
    return await asking;
  }

  async #askNow(): Promise<Position | undefined> {
    const { answered, credential, log, place, settings } = this.#options;
    this.#isAsking = true;
    try {
      const timeoutMs = settings().timeoutMs;
      const role = await credential();
      if (this.#closing.signal.aborted) return undefined;
      if (this.isOutdated) this.#disconnect();
      this.isOutdated = false;
      const isWhole = this.#isWholeDue || this.latest === undefined;
      const position = await inTime(this.#answer(role, isWhole), timeoutMs);
      if (isWhole) this.#isWholeDue = false;
      if (this.#isSilent) log.info('position-known', { member: place.name });
      this.#isSilent = false;
      this.latest = position;
      answered(place.name, position, isWhole);
      return position;
    } catch (cause) {
      rethrowBug(cause);
      this.#lost(cause);
      return undefined;
    } finally {
      this.#isAsking = false;
    }
  }

  async #answer(role: Credential, isWhole: boolean): Promise<Position> {
    const { clock, nextConnection, place, settings } = this.#options;
    const { database, timeoutMs, tls } = settings();
    if (this.#connection === undefined) {
      const opened = new OwnConnection({
        address: place,
        role: { ...role, database },
        tls,
        connectTimeoutMs: timeoutMs,
        failure: positionFailure,
        lost: () => {
          if (this.#connection === opened && !this.#isAsking)
            this.#lost(positionFailure('the connection was lost'));
        },
      });
      this.#connection = opened;
      this.#connectionNumber = nextConnection();
      this.#connectedAt = undefined;
    }
    const connection = this.#connectionNumber;
    const asked = this.#connection;
    await asked.opened;
    // Not before: how long an answer takes is not how long a login does.
    const askedAt = clock.now();
    this.#connectedAt ??= askedAt;
    const connectedAt = this.#connectedAt;
    const before = isWhole ? undefined : this.latest;
    if (before !== undefined) {
      const facts = await askHowFar(asked, before);
      return { ...before, ...facts, askedAt, answeredAt: clock.now(), connection, connectedAt };
    }
    const { lsn: _, systemId: __, ...facts } = await askWhatItIs(asked);
    return { askedAt, answeredAt: clock.now(), connection, connectedAt, ...facts };
  }

  #lost(cause: unknown): void {
    const { forgetCredential, log, place, silent } = this.#options;
    this.#disconnect();
    if (this.#closing.signal.aborted) return;
    const because = describe(cause);
    if (!this.#isSilent) log.warn('position-unknown', { member: place.name, because });
    this.#isSilent = true;
    const code = cause instanceof MatriarchError ? cause.code : undefined;
    if (code === 'router-no-server') silent(place.name, because);
    else if (code === 'router-lookup-refused') forgetCredential();
  }
}

/**
 * Settles as `work` does, or rejects after `ms`. When this process was stopped for longer, what has come meanwhile is read
 * first: its stall is not the member's.
 */
async function inTime<T>(work: Promise<T>, ms: number): Promise<T> {
  const over = new AbortController();
  const late = async (): Promise<never> => {
    await pause(ms, over.signal);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    throw positionFailure(`no answer within ${ms} ms`);
  };
  try {
    return await Promise.race([work, late()]);
  } finally {
    over.abort();
  }
}

/** `router-lookup-refused` if it is about who asks, else `router-no-server`. */
function positionFailure(because: ErrorFields | string): MatriarchError {
  const isAboutUs = typeof because !== 'string' && !isPassing(because.code);
  const text = typeof because === 'string' ? because : `${because.code} ${because.message}`;
  const code = isAboutUs ? 'router-lookup-refused' : 'router-no-server';
  return new MatriarchError(code, `asking a member where it is: ${text}`);
}
