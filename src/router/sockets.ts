/** All that a router listens on, and the files that say so: new ones, or those of the process that it takes over from. */
import type { Hono } from 'hono';
import type { Config } from '../config/index.ts';
import { listenHttp } from '../metrics/index.ts';
import type { Listener } from './listener.ts';
import { writePidFile } from './pid-file.ts';
import type { Predecessor } from './predecessor.ts';
import type { Shared } from './shared.ts';
import type { OpenSocket } from './succession.ts';
import type { SocketUse } from './take-over.ts';

export interface SocketParts {
  readonly config: Config;
  readonly shared: Shared;
  readonly listener: Listener;
  readonly status: Hono;
  readonly predecessor: Predecessor | undefined;
}

export class Sockets {
  readonly #closings: (() => Promise<void>)[] = [];
  readonly #open = new Map<SocketUse, OpenSocket>();
  #isOver = false;
  #namePid: () => void = () => undefined;

  /** What can be handed over. */
  get open(): ReadonlyMap<SocketUse, OpenSocket> {
    return this.#open;
  }

  /** Rejects with `address-in-use` and its kin; what is open by then is closed by `close`. */
  async listen({ config, shared, listener, status, predecessor }: SocketParts): Promise<void> {
    const { listen, http_listen, unix_socket_dir, unix_socket_mode, pid_file } = config.router;
    // Nothing may be awaited between the arrival of a socket and its use.
    const http = await listenHttp(status, {
      address: http_listen,
      what: 'The router’s HTTP server',
      inherited: await predecessor?.socket('http', http_listen),
    });
    this.#closings.push(() => http.close());
    this.#open.set('http', { address: http_listen, server: http.server });
    const clients = await listener.listen(listen, shared, await predecessor?.socket('clients', listen));
    this.#closings.push(clients.close);
    this.#open.set('clients', { address: listen, server: clients.server });
    if (pid_file !== undefined) {
      let remove: (() => void) | undefined;
      this.#namePid = () => {
        remove = writePidFile(pid_file, process.pid);
      };
      this.#namePid();
      this.#closings.push(async () => {
        remove?.();
        await Promise.resolve();
      });
    }
    // Last, for its name cannot be given back.
    if (unix_socket_dir !== undefined) {
      const place = {
        folder: unix_socket_dir,
        port: listen.port,
        mode: Number.parseInt(unix_socket_mode, 8),
      };
      const local = { ...place, pid: process.pid, predecessor: predecessor?.pid };
      this.#closings.push(await listener.listenLocal(local, shared));
    }
  }

  /** The file names us again, whomever it names now. */
  namePid(): void {
    this.#namePid();
  }

  /** Accepts nobody any more, at once; resolves when the last connection is gone. */
  async close(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    await Promise.all(this.#closings.map((close) => close()));
  }
}
