/** Addresses, and what it means when one cannot be listened on: told the same way by every server of ours. */
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
