/** How one asks the REST APIs of members: with which certificates and as which user. For agents and for commands. */
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'undici';
import { MatriarchError } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import { basicAuthorization } from './rest-access.ts';

const ANSWER_BYTES_MAX = 1024 * 1024;

/** What is sent and believed; files are read already. */
export interface RestIdentity {
  readonly tls: {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    readonly passphrase?: string;
    readonly rejectUnauthorized: boolean;
  };
  /** The header `Authorization`; undefined for none. */
  readonly authorization: string | undefined;
}

/** Who this host is to its peers: section `ctl`, and what it leaves out from `restapi`. Rejects with `config-unreadable`. */
export async function restIdentity({ ctl, restapi }: Pick<Config, 'ctl' | 'restapi'>): Promise<RestIdentity> {
  const user = ctl?.authentication ?? restapi?.authentication;
  const own = ctl?.certfile === undefined ? restapi : ctl;
  const ca = ctl?.cacert ?? restapi?.cafile;
  const passphrase = own?.keyfile_password;
  return {
    tls: {
      ...(ca === undefined ? {} : { ca: await readPem(ca) }),
      ...(own?.certfile === undefined ? {} : await keyPair(own.certfile, own.keyfile)),
      ...(passphrase === undefined ? {} : { passphrase }),
      rejectUnauthorized: ctl?.insecure !== true,
    },
    authorization: user === undefined ? undefined : basicAuthorization(user),
  };
}

/** A certificate with its key, which may be in the same file. Rejects with `config-unreadable`. */
export async function keyPair(
  certfile: string,
  keyfile: string | undefined,
): Promise<{ readonly cert: string; readonly key: string }> {
  return { cert: await readPem(certfile), key: await readPem(keyfile ?? certfile) };
}

export async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new MatriarchError('config-unreadable', `${file} cannot be read`, { cause });
  }
}

export interface RestAnswer {
  readonly status: number;
  readonly text: string;
}

/** Asks members' REST APIs on behalf of an operator. */
export class RestClient {
  readonly #identity: RestIdentity;
  readonly #agent: Agent;

  constructor(identity: RestIdentity) {
    this.#identity = identity;
    this.#agent = new Agent({ connect: { timeout: 3000, ...identity.tls } });
  }

  /** `apiUrl` as the member published it; any status is an answer. Rejects with what undici says when there is none. */
  async ask(
    apiUrl: string,
    question: {
      readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
      readonly path: string;
      readonly body?: object;
      readonly timeoutMs: number;
    },
  ): Promise<RestAnswer> {
    const { authorization } = this.#identity;
    const answer = await request(new URL(question.path, apiUrl), {
      method: question.method,
      dispatcher: this.#agent,
      headersTimeout: question.timeoutMs,
      bodyTimeout: question.timeoutMs,
      headers: {
        ...(authorization === undefined ? {} : { authorization }),
        ...(question.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(question.body === undefined ? {} : { body: JSON.stringify(question.body) }),
    });
    const text = await answer.body.text();
    return { status: answer.statusCode, text: text.slice(0, ANSWER_BYTES_MAX) };
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}
