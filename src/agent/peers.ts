/**
 * Questions to the other members' REST APIs: their position in an election, whether a candidate has the last WAL, and for pledges.
 * In parallel and with short deadlines; a peer that does not answer is simply not in the result.
 */
import { Agent, request } from 'undici';
import { isRecord, MatriarchError, parseJson, rethrowBug } from '../base/index.ts';
import type { FailsafeList, PeerAnswer, ServerRole } from '../ha/index.ts';
import { type ClusterView, isTagSet, type Member } from '../topology/index.ts';
import type { RestIdentity } from './rest-client.ts';

/** Long enough for a distant datacenter, short against the lease: the whole election waits for it when a host is dead. */
const ASK_MS = 400;
const ANSWER_BYTES_MAX = 256 * 1024;

/** A member's answer to a leader that asks for a pledge; `forMs` where it says for how long. */
export type Pledge =
  | { readonly isPledged: true; readonly forMs: number | undefined }
  | { readonly isPledged: false; readonly text: string };

/** In our own agents' answers beside what Patroni says: for how many milliseconds it is pledged. */
export const PLEDGED_MS_HEADER = 'pledged-ms';

export class PeerClient {
  readonly #agent: Agent;
  readonly #authorization: string | undefined;

  constructor(identity: RestIdentity) {
    const connect = { timeout: ASK_MS, ...identity.tls };
    this.#agent = new Agent({ connections: 2, keepAliveTimeout: 5000, connect });
    this.#authorization = identity.authorization;
  }

  /** All that are known but `self`, as they answer now. */
  async ask(who: Electorate, self: string, formerCity: string | undefined): Promise<readonly PeerAnswer[]> {
    const others = electorsOf(who, self);
    const answers = await Promise.all(others.map((member) => this.askOne(member, formerCity)));
    return answers.filter((answer) => answer !== undefined);
  }

  /** One member's position; undefined when it does not answer in time or not in Patroni's form. */
  async askOne(member: Elector, formerCity?: string): Promise<PeerAnswer | undefined> {
    try {
      const answer = await request(member.apiUrl, {
        dispatcher: this.#agent,
        signal: AbortSignal.timeout(ASK_MS),
        headersTimeout: ASK_MS,
        bodyTimeout: ASK_MS,
      });
      return readAnswer(member, parseJson(await textOf(answer.body)), formerCity);
    } catch (cause) {
      rethrowBug(cause);
      // Refused, timed out or endless: all the same to an election, the peer gave no position.
      return undefined;
    }
  }

  /** `POST /failsafe`; undefined when it does not answer in time. */
  async pledge(
    member: Pick<Elector, 'name' | 'apiUrl'>,
    body: Readonly<Record<string, unknown>>,
    withinMs: number,
  ): Promise<Pledge | undefined> {
    const authorization = this.#authorization;
    try {
      const answer = await request(new URL('/failsafe', member.apiUrl), {
        method: 'POST',
        dispatcher: this.#agent,
        signal: AbortSignal.timeout(withinMs),
        headers: {
          'content-type': 'application/json',
          ...(authorization === undefined ? {} : { authorization }),
        },
        body: JSON.stringify(body),
      });
      const text = await textOf(answer.body);
      return readPledge(answer.statusCode, text, answer.headers[PLEDGED_MS_HEADER]);
    } catch (cause) {
      rethrowBug(cause);
      // Refused, timed out or no address: nothing is pledged.
      return undefined;
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

/** As Patroni does: both the status and the word. */
export function readPledge(status: number, text: string, forMs: unknown): Pledge {
  if (status !== 200 || text !== 'Accepted')
    return { isPledged: false, text: `${status} ${text}`.slice(0, 200) };
  return { isPledged: true, forMs: /^\d{1,9}$/.test(String(forMs)) ? Number(forMs) : undefined };
}

/** Who is asked in an election. */
export type Elector = Pick<Member, 'name' | 'apiUrl' | 'tags'>;

export interface Electorate {
  readonly view: Pick<ClusterView, 'members'>;
  /** The key `failsafe`: a leader that lives by pledges may have lost its member key. */
  readonly failsafe: FailsafeList | undefined;
}

/** All that can be asked, but `self`. */
export function electorsOf({ view, failsafe }: Electorate, self: string): readonly Elector[] {
  const listed = [...(failsafe ?? [])].filter(([name]) => !view.members.has(name));
  const all: readonly Elector[] = [
    ...view.members.values(),
    ...listed.map(([name, apiUrl]) => ({ name, apiUrl, tags: {} })),
  ];
  return all.filter(({ name, apiUrl }) => name !== self && apiUrl !== '');
}

/** The city tag of a member; undefined where there is none. */
export function cityOf(view: ClusterView, name: string | undefined): string | undefined {
  const tag = name === undefined ? undefined : view.members.get(name)?.tags['city'];
  return tag === undefined ? undefined : String(tag);
}

/** The tags that rank a member. `nofailover` and priority 0 mean the same; a priority defaults to 1, as Patroni's does. */
export function standingOf(
  name: string,
  tags: Readonly<Record<string, unknown>>,
  formerCity: string | undefined,
) {
  const priority = Number(tags['failover_priority'] ?? 1);
  return {
    name,
    isNofailover: isTagSet(tags, 'nofailover'),
    priority: Number.isFinite(priority) ? priority : 1,
    isSameCity: formerCity !== undefined && tags['city'] === formerCity,
  };
}

/** The whole body. One that goes on for too long is cut off: leaving the loop destroys its connection. */
async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX)
      throw new MatriarchError('agent-job-failed', `an answer of more than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** What a member's `GET /patroni` says of its position; undefined when that is not in Patroni's form. */
export function readAnswer(
  member: Elector,
  json: unknown,
  formerCity: string | undefined,
): PeerAnswer | undefined {
  if (!isRecord(json)) return undefined;
  const ours = isRecord(json['matriarch']) ? json['matriarch'] : {};
  const xlog = isRecord(json['xlog']) ? json['xlog'] : {};
  const positions = [xlog['location'], xlog['received_location'], xlog['replayed_location']].filter(
    (value) => typeof value === 'number',
  );
  return {
    ...standingOf(member.name, member.tags, formerCity),
    ...(json['watchdog_failed'] === true ? { lacksWatchdog: true } : {}),
    isRunning: json['state'] === 'running',
    role: roleOf(json['role']),
    isHeldBack: json['failsafe_mode_is_active'] === true || ours['is_held_back'] === true,
    timeline: typeof json['timeline'] === 'number' ? json['timeline'] : undefined,
    lsn: positions.length === 0 ? undefined : Math.max(...positions),
  };
}

function roleOf(role: unknown): ServerRole {
  if (role === 'primary' || role === 'master') return 'primary';
  return role === 'replica' || role === 'standby_leader' ? 'standby' : 'unknown';
}
