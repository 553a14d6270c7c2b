/**
 * What two routers say to each other while one takes over from the other. The *successor* is a child of its *predecessor*:
 *
 *   predecessor                                    successor
 *       │  starts it                                   │ reads its configuration, finds the cluster
 *       │◀──────────────── wants (use, address) ───────┤ once for each socket
 *       ├──────────────── socket (use, + the socket) ─▶│ listens on it, or on one of its own
 *       │◀──────────────── listening ──────────────────┤
 *       │  closes its sockets; its clients go on       │
 *       │◀──────────────── cancel, stopping ───────────┤ until the predecessor is gone
 *       ├──────────────── cancel-ended ───────────────▶│
 *
 * or `failed`, and the predecessor goes on as before. Both ends may be of different versions: what one does not understand
 * it ignores. A new message? Also add it to `readMessage`.
 */
import type { Server } from 'node:net';
import { isRecord } from '../base/index.ts';

/** What a socket is for. */
export type SocketUse = 'clients' | 'http';

/** What a cancel is for. */
export interface CancelNaming {
  readonly processId: number;
  /** In hexadecimal. */
  readonly secretKey: string;
}

export type TakeOverMessage =
  /** `address` as formatted: a socket is handed over only if the successor is to listen at the same one. */
  | { readonly kind: 'wants'; readonly use: SocketUse; readonly address: string }
  /** With the socket, if there is such a one. */
  | { readonly kind: 'socket'; readonly use: SocketUse }
  | { readonly kind: 'listening' }
  | { readonly kind: 'failed'; readonly because: string }
  | (CancelNaming & { readonly kind: 'cancel' })
  /** It can hit nothing any more. */
  | (CancelNaming & { readonly kind: 'cancel-ended' })
  /** The successor ends in order, and so must those whose clients it cannot serve any more. */
  | { readonly kind: 'stopping' };

/** The way to another process of ours. */
export interface Channel {
  readonly pid: number;
  /** Resolves when it is on its way, or cannot be sent any more. */
  readonly send: (message: TakeOverMessage, socket?: Server) => Promise<void>;
  /**
   * Called at once when one comes, with the socket that came along. That listens already: connections are lost unless it is
   * given to another server before the next turn of the event loop.
   */
  readonly onMessage: (listener: (message: unknown, socket: Server | undefined) => void) => void;
  /** Once nothing more will come; `how` the process has ended, where that is known. */
  readonly onClose: (listener: (how: string) => void) => void;
  /** Ends the other process at once. */
  readonly kill: () => void;
}

/** Undefined for what another version may mean. */
export function readMessage(value: unknown): TakeOverMessage | undefined {
  if (!isRecord(value)) return undefined;
  const { kind, use, address, because, processId, secretKey } = value;
  switch (kind) {
    case 'wants':
      return isUse(use) && typeof address === 'string' ? { kind, use, address } : undefined;
    case 'socket':
      return isUse(use) ? { kind, use } : undefined;
    case 'failed':
      return typeof because === 'string' ? { kind, because } : undefined;
    case 'cancel':
    case 'cancel-ended':
      return typeof processId === 'number' && typeof secretKey === 'string'
        ? { kind, processId, secretKey }
        : undefined;
    case 'listening':
    case 'stopping':
      return { kind };
  }
  return undefined;
}

function isUse(value: unknown): value is SocketUse {
  return value === 'clients' || value === 'http';
}
