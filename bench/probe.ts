/** Asks a server how it would authenticate the application's role, by the first messages of the protocol alone. */
import { connect } from 'node:net';
import type { Address } from '../src/base/index.ts';
import { StartupMessage } from '../src/wire/index.ts';
import { APP } from './stage.ts';

const SASL = 10;
const ANSWER_MS = 5000;
/** AuthenticationRequest: tag, length, kind, then (for SASL) the names of mechanisms, the first one first. */
const KIND_AT = 5;
const NAMES_AT = 9;

/** The first SASL mechanism offered, or the kind of authentication as a number. */
export async function authenticationOf(address: Address): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ ...address, timeout: ANSWER_MS });
    socket.once('connect', () => {
      socket.write(
        StartupMessage([
          ['user', APP.user],
          ['database', APP.database],
        ]),
      );
    });
    socket.once('data', (answer) => {
      socket.destroy();
      if (answer[0] !== 'R'.charCodeAt(0))
        resolve(`an answer with tag ${String.fromCharCode(answer[0] ?? 0)}`);
      else if (answer.readInt32BE(KIND_AT) !== SASL) resolve(`kind ${answer.readInt32BE(KIND_AT)}`);
      else resolve(answer.toString('latin1', NAMES_AT, answer.indexOf(0, NAMES_AT)));
    });
    socket.once('timeout', () => socket.destroy(new Error('no answer')));
    socket.once('error', reject);
  });
}
