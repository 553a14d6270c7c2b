/**
 * The router's own connection to a listed server, for one question again and again: what are you? One at a time. With
 * no role to log in as, all that is asked is what any server answers without a login: whether it would speak TLS.
 */
import { connect } from 'node:net';
import { z } from 'zod';
import { type Address, type Deferred, deferred, describe, MatriarchError, parseJson } from '../base/index.ts';
import type { NodeAnswer } from '../topology/index.ts';
import {
  BACKEND,
  type Delivery,
  FRAME_BYTES_MAX,
  FrameReader,
  type FrameSink,
  ProtocolViolation,
  Query,
  readErrorFields,
  readFirstColumn,
  SSLRequest,
} from '../wire/index.ts';
import { Scratch } from './scratch.ts';
import type { ServerTls } from './server-tls.ts';
import { READ_BUFFER_BYTES, Upstream } from './upstream.ts';

/** As one text; what only the other role may be asked is guarded by CASE. Any role may ask all of it. */
const WHAT_ARE_YOU = `
WITH server AS MATERIALIZED (SELECT pg_catalog.pg_is_in_recovery() AS in_recovery)
SELECT pg_catalog.json_build_object(
  'in_recovery', in_recovery,
  'wal_file', CASE WHEN NOT in_recovery THEN pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) END,
  'write', CASE WHEN NOT in_recovery THEN pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0')::bigint END,
  'receive', CASE WHEN in_recovery THEN pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_receive_lsn(), '0/0')::bigint END,
  'replay', CASE WHEN in_recovery THEN pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_replay_lsn(), '0/0')::bigint END,
  'timeline', GREATEST((SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()),
                       (SELECT min_recovery_end_timeline FROM pg_catalog.pg_control_recovery())),
  'streaming', EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver),
  'system_id', (SELECT system_identifier::text FROM pg_catalog.pg_control_system())
)::text FROM server`;

const lsn = z.int().nullable();
const answerSchema = z.object({
  in_recovery: z.boolean(),
  /** The first 8 digits are the timeline, in hexadecimal. */
  wal_file: z.string().nullable(),
  write: lsn,
  receive: lsn,
  replay: lsn,
  timeline: z.int(),
  streaming: z.boolean(),
  system_id: z.string(),
});

const TIMELINE_DIGITS = 8;

/** What a server said of itself, without the time of the question. */
export type NodeFacts = Omit<NodeAnswer & { readonly kind: 'told' }, 'kind' | 'askedAt'>;

export interface NodeConnectionOptions {
  readonly address: Address;
  readonly role: NodeRole;
  readonly tls: ServerTls;
  readonly timeoutMs: number;
}

/** Whom the router logs in as, and where. */
export interface NodeRole {
  readonly username: string;
  readonly password: string;
  readonly database: string;
}

export class NodeConnection implements FrameSink {
  readonly #frames = new FrameReader({ wholeBytesMax: FRAME_BYTES_MAX });
  readonly #opened = deferred();
  readonly #upstream: Upstream;
  #question: Deferred<string> | undefined = undefined;
  #row: string | undefined = undefined;
  #refusal: string | undefined = undefined;

  constructor({ address, role, tls, timeoutMs }: NodeConnectionOptions) {
    this.#upstream = new Upstream(
      {
        address,
        parameters: [
          ['user', role.username],
          ['database', role.database],
          ['application_name', 'matriarch router'],
        ],
        credential: { password: role.password },
        tls,
        connectTimeoutMs: timeoutMs,
        readBuffer: new Scratch(READ_BUFFER_BYTES / 16),
      },
      {
        opened: () => this.#opened.resolve(),
        failed: (failure) =>
          this.#opened.reject(
            noAnswer(failure.kind === 'refused' ? failure.fields.message : failure.because),
          ),
        received: (chunk) => this.#received(chunk),
        lost: () => this.#lost(),
        drained: () => {},
      },
    );
  }

  /** Rejects with `router-no-server`; the connection is then of no more use. */
  async ask(): Promise<NodeFacts> {
    await this.#opened.promise;
    const question = deferred<string>();
    this.#question = question;
    this.#upstream.write(Query(WHAT_ARE_YOU));
    this.#upstream.flush();
    return readFacts(await question.promise);
  }

  close(): void {
    this.#upstream.close();
    this.#lost();
  }

  delivery(): Delivery {
    return 'whole';
  }

  whole(tag: number, message: Buffer): void {
    if (tag === BACKEND.DataRow) this.#row = readFirstColumn(message);
    else if (tag === BACKEND.ErrorResponse) this.#refusal = readErrorFields(message).message;
    else if (tag === BACKEND.ReadyForQuery) this.#answered();
  }

  pass(): void {}

  #answered(): void {
    const question = this.#question;
    this.#question = undefined;
    if (this.#row === undefined) question?.reject(noAnswer(this.#refusal ?? 'the server sent no row'));
    else question?.resolve(this.#row);
    this.#row = undefined;
    this.#refusal = undefined;
  }

  #received(chunk: Buffer): void {
    try {
      this.#frames.push(chunk, this);
    } catch (cause) {
      if (!(cause instanceof ProtocolViolation)) throw cause;
      this.close();
    }
  }

  #lost(): void {
    this.#question?.reject(noAnswer('the connection was lost'));
    this.#question = undefined;
  }
}

/** Whether a PostgreSQL is there at all. Rejects with `router-no-server`. */
export async function askIfAlive(address: Address, timeoutMs: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ ...address, timeout: timeoutMs }, () => void socket.write(SSLRequest()));
    const failed = (because: string): void => {
      socket.destroy();
      reject(noAnswer(because));
    };
    socket.once('data', (answer) => {
      if (answer.length !== 1 || !'SN'.includes(answer.toString('latin1')))
        return failed('it is no PostgreSQL');
      socket.destroy();
      resolve();
    });
    socket.once('timeout', () => failed(`no answer within ${timeoutMs} ms`));
    socket.once('error', (cause) => failed(describe(cause)));
    socket.once('close', () => failed('the server closed the connection'));
  });
}

function readFacts(text: string): NodeFacts {
  const parsed = answerSchema.safeParse(parseJson(text));
  if (!parsed.success) throw noAnswer('its answer cannot be read');
  const told = parsed.data;
  const received = Math.max(told.receive ?? 0, told.replay ?? 0);
  return {
    isInRecovery: told.in_recovery,
    timeline:
      told.wal_file === null ? told.timeline : Number.parseInt(told.wal_file.slice(0, TIMELINE_DIGITS), 16),
    lsn: told.in_recovery ? received : (told.write ?? undefined),
    replayLsn: told.replay ?? undefined,
    isStreaming: told.streaming,
    systemId: told.system_id,
  };
}

const noAnswer = (because: string): MatriarchError =>
  new MatriarchError('router-no-server', `asking a node what it is: ${because}`);
