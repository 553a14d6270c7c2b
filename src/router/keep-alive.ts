/** TCP's own question to an idle peer, so that one that has vanished is noticed, as options of Node's sockets. */
import type { RouterConfig } from '../config/index.ts';

export interface KeepAlive {
  readonly keepAlive: boolean;
  readonly keepAliveInitialDelay: number;
}

export function keepAliveOf({ tcp_keepalive, tcp_keepidle }: RouterConfig): KeepAlive {
  return { keepAlive: tcp_keepalive, keepAliveInitialDelay: tcp_keepidle };
}
