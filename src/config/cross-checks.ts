/** Checks between settings, which no single key's type can express. They run when every key by itself is right. */
import { type Address, formatAddress } from '../base/index.ts';
import { stepDownMs } from '../ha/index.ts';
import { accessFindings } from './access-keys.ts';
import type { Config } from './schema.ts';
import type { Path } from './source.ts';

/** What the file is read for; `agent` needs sections that a router's host does not have. */
export type Purpose = 'agent' | 'router' | 'any';

export interface Finding {
  readonly path: Path;
  readonly message: string;
}

const SHORTEST_TTL_MS = 2000;
const SHORTEST_PERIOD_MS = 50;
/** sockaddr_un holds 108 bytes with the final zero; the longest name in it is `/.s.PGSQL.65535`. */
const SOCKET_DIR_BYTES_MAX = 107 - '/.s.PGSQL.65535'.length;
const TOO_LONG_FOR_A_SOCKET = `is longer than ${SOCKET_DIR_BYTES_MAX} bytes, which no Unix socket's path may be`;

/** All that does not fit together in `config`. */
export function crossCheck(config: Config): Finding[] {
  return [...lease(config), ...router(config), ...agent(config)];
}

/** Optional sections that `purpose` cannot do without; looks at the file as it is, valid or not. */
export function missingSections(file: object, purpose: Purpose): Finding[] {
  if (purpose !== 'agent') return [];
  return ['restapi', 'postgresql']
    .filter((section) => !Object.hasOwn(file, section))
    .map((section) => ({ path: [section], message: 'is missing: an agent needs this section' }));
}

function lease({ lease: settings }: Config): Finding[] {
  const { ttl, keep_alive, fence_margin, loop_wait } = settings;
  const stepDown = stepDownMs(keep_alive);
  const findings: Finding[] = [];
  const add = (key: string, message: string): void => void findings.push({ path: ['lease', key], message });
  if (ttl < SHORTEST_TTL_MS) add('ttl', 'must be at least 2s; etcd grants no shorter lease reliably');
  if (keep_alive < SHORTEST_PERIOD_MS) add('keep_alive', `must be at least ${SHORTEST_PERIOD_MS}ms`);
  if (loop_wait < SHORTEST_PERIOD_MS) add('loop_wait', `must be at least ${SHORTEST_PERIOD_MS}ms`);
  if (keep_alive + fence_margin + stepDown >= ttl) {
    const sum = `keep_alive (${keep_alive}ms) + fence_margin (${fence_margin}ms) + time to step down (${stepDown}ms)`;
    add('ttl', `${sum} must be less than ttl (${ttl}ms), or a healthy leader would demote itself`);
  }
  return findings;
}

function router({ router: settings }: Config): Finding[] {
  const { weights, listen, http_listen, unix_socket_dir } = settings;
  const findings: Finding[] = accessFindings(settings).map(({ path, message }) => ({
    path: ['router', ...path],
    message,
  }));
  if (Buffer.byteLength(unix_socket_dir ?? '') > SOCKET_DIR_BYTES_MAX) {
    findings.push({ path: ['router', 'unix_socket_dir'], message: TOO_LONG_FOR_A_SOCKET });
  }
  if (weights.local === 0 && weights.remote === 0) {
    findings.push({
      path: ['router', 'weights'],
      message: 'local and remote are both 0, so no member could be read from',
    });
  }
  if (sameAddress(listen, http_listen)) {
    findings.push({
      path: ['router', 'http_listen'],
      message: `is router.listen too: ${formatAddress(listen)}`,
    });
  }
  return findings;
}

function agent(config: Config): Finding[] {
  const { restapi, postgresql } = config;
  const findings: Finding[] = [];
  const add = (path: Path, message: string): void => void findings.push({ path, message });
  for (const [section, { listen, connect_address }] of Object.entries({
    ...(restapi && { restapi }),
    ...(postgresql && { postgresql }),
  })) {
    if (isWildcard(listen) && connect_address === undefined) {
      add(
        [section, 'listen'],
        `others cannot connect to ${listen.host}: set ${section}.connect_address as well`,
      );
    }
  }
  if (postgresql === undefined) return findings;
  if (restapi !== undefined && sameAddress(restapi.listen, postgresql.listen)) {
    add(['restapi', 'listen'], `is postgresql.listen too: ${formatAddress(restapi.listen)}`);
  }
  const { superuser, replication, rewind } = postgresql.authentication;
  if (new Set([superuser.username, replication.username, rewind.username]).size < 3) {
    add(['postgresql', 'authentication'], 'superuser, replication and rewind must be three different roles');
  }
  if (Buffer.byteLength(postgresql.socket_dir) > SOCKET_DIR_BYTES_MAX) {
    add(['postgresql', 'socket_dir'], TOO_LONG_FOR_A_SOCKET);
  }
  return findings;
}

function isWildcard({ host }: Address): boolean {
  return host === '0.0.0.0' || host === '::' || host === '*';
}

function sameAddress(a: Address, b: Address): boolean {
  return a.port === b.port && a.host === b.host;
}
