/** Addresses for servers that tests start: random in 127.64.0.0/10 .. 127.254, so that parallel files do not meet. */
import { randomInt } from 'node:crypto';

/** An address of the loopback network that nothing else is likely to use; ports on it are free. */
export function freshLoopback(): string {
  return `127.${randomInt(64, 255)}.${randomInt(1, 255)}.${randomInt(1, 255)}`;
}
