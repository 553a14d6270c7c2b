/**
 * Who may change something by the REST API: by address, by client certificate, by user name and password, in this order
 * and each only where the file says so. Looking is free to all whom the TLS handshake lets in, as with Patroni.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Context, MiddlewareHandler } from 'hono';
import { rethrowBug } from '../base/index.ts';
import type { RestapiConfig } from '../config/index.ts';
import { parseFailsafe } from '../ha/index.ts';
import type { AgentContext } from './context.ts';

const READING = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Refuses changing requests of those who may not make them: 403 or 401, with Patroni's texts. */
export function checkAccess(ctx: AgentContext): MiddlewareHandler {
  return async (c, next) => {
    const refused = READING.has(c.req.method) ? undefined : await whyRefused(ctx, c);
    if (refused === undefined) {
      await next();
      return undefined;
    }
    ctx.log.warn('request-refused', {
      method: c.req.method,
      path: c.req.path,
      from: clientOf(c)?.remoteAddress,
      because: refused.text,
    });
    const headers = refused.status === 401 ? { 'www-authenticate': 'Basic realm="matriarch"' } : {};
    return c.text(refused.text, refused.status, headers);
  };
}

interface Refused {
  readonly status: 401 | 403;
  readonly text: string;
}

async function whyRefused(ctx: AgentContext, c: Context): Promise<Refused | undefined> {
  const { restapi } = ctx;
  const socket = clientOf(c);
  if (!(await isListed(ctx, socket?.remoteAddress))) return { status: 403, text: 'Access is denied' };
  const isTls = restapi.certfile !== undefined && restapi.verify_client !== 'none';
  if (isTls && !hasCertificate(socket)) return { status: 403, text: 'client certificate required' };
  return whyUnknown(restapi, c.req.header('authorization'));
}

/** A resumed session counts as authorized also when it was begun without a certificate, so that has to be there as well. */
function hasCertificate(socket: IncomingMessage['socket'] | undefined): boolean {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return false;
  return Object.keys(socket.getPeerCertificate()).length > 0;
}

/** What the header lacks; undefined when no user is asked for, or it is the right one. */
export function whyUnknown(
  { authentication }: Pick<RestapiConfig, 'authentication'>,
  header: string | undefined,
): Refused | undefined {
  if (authentication === undefined) return undefined;
  if (header === undefined) return { status: 401, text: 'no auth header received' };
  const wanted = basicAuthorization(authentication);
  return timingSafeEqual(digestOf(header), digestOf(wanted))
    ? undefined
    : { status: 401, text: 'not authenticated' };
}

/** The value of the header `Authorization` for a user. */
export function basicAuthorization(user: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${user.username}:${user.password}`).toString('base64')}`;
}

/** Equal lengths, so that the time of a comparison tells nothing. */
const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest();

async function isListed(ctx: AgentContext, address: string | undefined): Promise<boolean> {
  const { allowlist, allowlist_include_members: withMembers } = ctx.restapi;
  if (allowlist.length === 0 && !withMembers) return true;
  if (address === undefined) return false;
  // Also a leader that lives by pledges, when its member key has ended.
  const listed = parseFailsafe(ctx.state.view.entries.get(ctx.layout.failsafe)?.value)?.values() ?? [];
  const published = [...ctx.state.view.members.values()].map(({ apiUrl }) => apiUrl);
  const members = withMembers ? [...published, ...listed].map(hostOf) : [];
  const named = [...allowlist, ...members.filter((host) => host !== '')];
  return isAllowed(address, (await Promise.all(named.map(resolved))).flat());
}

/**
 * Whoever reaches the REST API may change the cluster, and with it run commands (`archive_command` is a setting like any
 * other): it listens where other hosts reach it, and asks for no address, certificate or user.
 */
export function isOpenToAll(restapi: RestapiConfig): boolean {
  const { listen, allowlist, allowlist_include_members: withMembers, authentication } = restapi;
  const asksForCertificate = restapi.certfile !== undefined && restapi.verify_client !== 'none';
  const asks = allowlist.length > 0 || withMembers || authentication !== undefined || asksForCertificate;
  return !asks && listen.host !== 'localhost' && !isAllowed(listen.host, ['127.0.0.0/8', '::1']);
}

/** `entries`: addresses and networks such as `10.0.0.0/8`. An IPv4 client of an IPv6 socket is itself. */
export function isAllowed(address: string, entries: readonly string[]): boolean {
  const list = new BlockList();
  for (const entry of entries) {
    const [net = '', prefix] = entry.split('/');
    const version = isIP(net);
    if (version === 0) continue;
    const family = version === 6 ? 'ipv6' : 'ipv4';
    if (prefix === undefined) list.addAddress(net, family);
    else if (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 6 ? 128 : 32))
      list.addSubnet(net, Number(prefix), family);
  }
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  return isIP(plain) !== 0 && list.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4');
}

/** Itself where it is an address or a network; else what its name stands for now, if anything. */
async function resolved(entry: string): Promise<readonly string[]> {
  if (isIP(entry.split('/')[0] ?? '') !== 0) return [entry];
  try {
    return (await lookup(entry, { all: true })).map(({ address }) => address);
  } catch (cause) {
    rethrowBug(cause);
    // A name that stands for nothing lets nobody in.
    return [];
  }
}

const hostOf = (url: string): string =>
  URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : '';

/** The connection of the request; undefined for one that did not come by any. */
function clientOf(c: Context): IncomingMessage['socket'] | undefined {
  const env: { readonly incoming?: IncomingMessage } | undefined = c.env;
  return env?.incoming?.socket;
}
