/** Addresses, and what it means when one cannot be listened on: told the same way by every server of ours. */
import type { Server } from 'node:net';
import { MatriarchError } from './errors.ts';

/** A TCP address; an IPv6 host stands without brackets. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, with brackets around an IPv6 host. */
export function formatAddress(address: Address): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** The error of a failed `listen`, as a person needs it; anything that is not about the address as it came. */
export function listenError(cause: unknown, address: Address, what: string): unknown {
  const errno = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const message = `${what} cannot listen on ${formatAddress(address)}`;
  switch (errno) {
    case 'EADDRINUSE':
      return new MatriarchError('address-in-use', message, { cause });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new MatriarchError('address-not-available', message, { cause });
    case 'EACCES':
      return new MatriarchError('address-forbidden', message, { cause });
    default:
      return cause;
  }
}

export interface ListenPlace {
  readonly address: Address;
  /** Names the server in errors. */
  readonly what: string;
  /** Whose listening socket is used on, in place of a new one. It is the given server's from here on. */
  readonly inherited?: Server | undefined;
  readonly backlog?: number;
}

/**
 * Resolves when `server` listens. With an inherited socket it does so before this returns: no connection gets in between.
 * Rejects with `address-in-use`, `address-not-available` or `address-forbidden`.
 */
export async function listenOn(
  server: Server,
  { address, what, inherited, backlog }: ListenPlace,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const failed = (cause: Error): void => reject(listenError(cause, address, what));
    server.once('error', failed);
    const done = (): void => {
      server.removeListener('error', failed);
      resolve();
    };
    if (inherited === undefined) server.listen({ ...address, backlog }, done);
    else server.listen(inherited, backlog, done);
  });
}
