/**
 * A small HTTP server for health checks, REST and metrics. It is not a public web server: connections, header
 * and request times are bounded, and closing does not wait for keep-alive connections.
 */
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { TlsOptions } from 'node:tls';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { type ListenPlace, listenOn } from '../base/index.ts';

const CONNECTIONS_MAX = 256;
const HEADERS_TIMEOUT_MS = 5000;
const REQUEST_TIMEOUT_MS = 10_000;
/** How long running answers get at `close` before their connections are cut. */
const CLOSE_GRACE_MS = 1000;

/** What an HTTP and an HTTPS server have in common here. */
type AnyServer = Server | TlsServer;

/** A server that listens. `close` resolves when its port is free and no connection of it is left. */
export interface HttpListener {
  readonly server: AnyServer;
  readonly close: () => Promise<void>;
}

/**
 * Serves `app` at that place, over TLS where `tls` is given; resolves once it listens.
 * Rejects with `address-in-use`, `address-not-available` or `address-forbidden`.
 */
export async function listenHttp(app: Hono, place: ListenPlace, tls?: TlsOptions): Promise<HttpListener> {
  const answer = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const limits = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: 1000,
  };
  const listener: RequestListener = (request, response) => void answer(request, response);
  const server =
    tls === undefined ? createServer(limits, listener) : createTlsServer({ ...limits, ...tls }, listener);
  server.maxConnections = CONNECTIONS_MAX;
  await listenOn(server, place);
  return { server, close: () => closed(server) };
}

async function closed(server: AnyServer): Promise<void> {
  if (!server.listening) return;
  await new Promise<void>((resolve) => {
    const cut = setTimeout(() => {
      server.closeAllConnections();
    }, CLOSE_GRACE_MS);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
