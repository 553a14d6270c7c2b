/** The two login machines before each other: the router as a client of a router. */
import assert from 'node:assert/strict';
import { ClientLogin, type LoginStep, type Question } from '../../src/router/login.ts';
import { ServerLogin } from '../../src/router/server-login.ts';
import {
  BACKEND,
  buildVerifier,
  FRAME_BYTES_MAX,
  FrameReader,
  mockVerifier,
  readErrorFields,
  type ScramCredential,
  StartupMessage,
  type Verifier,
} from '../../src/wire/index.ts';

export const VERIFIER = buildVerifier('secret', Buffer.from('sixteen bytes ok'), 4096);
export const OTHER = buildVerifier('secret', Buffer.from('another salt....'), 4096);
const MOCK = mockVerifier('app', Buffer.from('mock'));
export const IDENTIFIED: LoginStep = {
  kind: 'identified',
  who: { user: 'app', database: 'app', isReplication: false },
};
export const AS_APP = { user: 'app', binding: 'none', isEncrypted: false } as const;

/** The question of SCRAM for a verifier; undefined: there is no such user. */
export function asked(verifier: Verifier | undefined): Question {
  return { kind: 'scram', verifier: verifier ?? MOCK, isMock: verifier === undefined };
}

export const APP: [string, string][] = [['user', 'app']];

/** A login of a client at the router; `said` collects what it hears. */
export function aLogin(tls: 'none' | 'offered' | 'required' = 'none') {
  const said: Buffer[] = [];
  const login = new ClientLogin({
    serverNonce: 'server-nonce',
    tls,
    reply: (bytes) => said.push(bytes),
  });
  return { login, said, heard: () => Buffer.concat(said.splice(0)) };
}

/** Lets our own server login play the client: the router as a client of a router. */
export function exchange(credential: ScramCredential, verifier: Verifier | undefined): LoginStep {
  const { login, heard } = aLogin();
  const toRouter: Buffer[] = [];
  const client = new ServerLogin({
    credential,
    ...AS_APP,
    nonce: 'client-nonce',
    reply: (bytes) => toRouter.push(bytes),
  });
  let step = login.receive(StartupMessage(APP));
  assert.deepEqual(step, IDENTIFIED);
  login.ask(asked(verifier));
  for (let round = 0; round < 3 && step.kind !== 'authenticated' && step.kind !== 'refused'; round += 1) {
    client.receive(heard());
    for (const bytes of toRouter.splice(0)) step = login.receive(bytes);
  }
  return step;
}

/** Code of the only ErrorResponse among `bytes`. */
export function errorIn(bytes: Buffer): string | undefined {
  let code: string | undefined;
  new FrameReader({ wholeBytesMax: FRAME_BYTES_MAX }).push(bytes, {
    delivery: () => 'whole',
    whole: (tag, message) => {
      if (tag === BACKEND.ErrorResponse) code = readErrorFields(message).code;
    },
    pass: () => undefined,
  });
  return code;
}
