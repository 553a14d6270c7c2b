/**
 * The login to an etcd that wants one: a token that goes with each request, got once and again when etcd does not know it any
 * more. Manual: "Role-based access control", POST /v3/auth/authenticate.
 */
import { z } from 'zod';
import type { Failure } from './etcd-failure.ts';

export interface EtcdCredentials {
  readonly username: string;
  readonly password: string;
}

/** Unauthenticated: a token that is gone or too old; InvalidArgument: one of before a change of rights, among much else. */
const WORTH_A_LOGIN: readonly (number | undefined)[] = [16, 3];

export const LOGIN_PATH = '/v3/auth/authenticate';
export const tokenAnswer = z.object({ token: z.string().min(1) });

export class EtcdLogin {
  readonly #credentials: EtcdCredentials | undefined;
  #token: string | undefined;

  constructor(credentials: EtcdCredentials | undefined) {
    this.#credentials = credentials;
  }

  /** What is to be sent for a token; undefined where there is one, or none is wanted. */
  get question(): { readonly name: string; readonly password: string } | undefined {
    if (this.#credentials === undefined || this.#token !== undefined) return undefined;
    return { name: this.#credentials.username, password: this.#credentials.password };
  }

  /** Of each request. */
  get headers(): Readonly<Record<string, string>> {
    return this.#token === undefined ? {} : { authorization: this.#token };
  }

  keep(token: string): void {
    this.#token = token;
  }

  /** True when the request may succeed after another login; nothing has happened by it. */
  isOverBy({ code }: Failure): boolean {
    if (this.#token === undefined || !WORTH_A_LOGIN.includes(code)) return false;
    this.#token = undefined;
    return true;
  }
}
