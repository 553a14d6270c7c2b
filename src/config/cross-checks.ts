/** Checks between settings, which no single key's type can express. They run when every key by itself is right. */
import { type Address, formatAddress } from '../base/index.ts';
import { longestTimeoutMs, stepDownMs } from '../ha/index.ts';
import { accessFindings } from './access-keys.ts';
import type { Config } from './schema.ts';
import type { Path } from './source.ts';
import { safetyMarginMs } from './watchdog-keys.ts';

/** What the file is read for: an agent needs sections that others do not, `cluster` is a command that asks etcd. */
export type Purpose = 'agent' | 'router' | 'cluster' | 'any';

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
  return [...source(config), ...lease(config), ...watchdog(config), ...router(config), ...agent(config)];
}

/** Optional sections that `purpose` cannot do without; looks at the file as it is, valid or not. */
export function missingSections(file: object, purpose: Purpose): Finding[] {
  const hasNodes = Object.hasOwn(file, 'nodes');
  const needed = NEEDED[purpose].filter(
    (section) => section !== 'etcd' || !hasNodes || (purpose !== 'router' && purpose !== 'any'),
  );
  return needed
    .filter((section) => !Object.hasOwn(file, section))
    .map((section) => ({ path: [section], message: `is missing: ${WHO_NEEDS[purpose]}` }));
}

const NEEDED: Readonly<Record<Purpose, readonly string[]>> = {
  agent: ['etcd', 'restapi', 'postgresql'],
  router: ['etcd'],
  cluster: ['etcd'],
  any: ['etcd'],
};

const WHO_NEEDS: Readonly<Record<Purpose, string>> = {
  agent: 'an agent needs this section',
  router: 'a router needs this section, or `nodes`',
  cluster: 'this command asks etcd',
  any: 'the cluster is known by etcd or, for a router alone, by `nodes`',
};

/** Where the truth about the cluster is: one place, not two. */
function source({ etcd, nodes, ...config }: Config): Finding[] {
  if (nodes === undefined) return [];
  const findings: Finding[] = [];
  if (etcd !== undefined) {
    findings.push({
      path: ['nodes'],
      message: 'and etcd exclude each other: who leads is decided in one place',
    });
  }
  const seen = new Set<string>();
  const { auth_user, node_check_period, node_check_timeout } = config.router;
  const { ttl } = config.lease;
  if (nodes.length > 1 && auth_user === undefined) {
    findings.push({
      path: ['nodes'],
      message: 'more than one need router.auth_user, as whom the router asks them which is the primary',
    });
  }
  if (node_check_period + node_check_timeout >= ttl) {
    const sum = `node_check_period (${node_check_period}ms) + node_check_timeout (${node_check_timeout}ms)`;
    findings.push({
      path: ['router', 'node_check_timeout'],
      message: `${sum} must be less than lease.ttl (${ttl}ms), or a healthy node would count as gone`,
    });
  }
  for (const [index, node] of nodes.entries()) {
    if (seen.has(node.name))
      findings.push({ path: ['nodes', index, 'name'], message: `${node.name} is taken` });
    const at = formatAddress(node.address);
    if (seen.has(at))
      findings.push({ path: ['nodes', index, 'address'], message: `${at} is listed already` });
    seen.add(node.name).add(at);
  }
  const names = nodes.map(({ name }) => name);
  for (const name of Object.keys(config.router.weights.members).filter((one) => !names.includes(one))) {
    const path = ['router', 'weights', 'members', name];
    findings.push({ path, message: `is no node; there are ${names.join(', ')}` });
  }
  return findings;
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

function watchdog({ watchdog: settings, lease: { ttl, keep_alive, fence_margin } }: Config): Finding[] {
  if (settings.mode === 'off') return [];
  const safety = safetyMarginMs(settings, fence_margin);
  const longest = longestTimeoutMs({ ttlMs: ttl, keepAliveMs: keep_alive, safetyMs: safety });
  const findings: Finding[] = [];
  if (settings.safety_margin !== undefined && safety > fence_margin / 2) {
    findings.push({
      path: ['watchdog', 'safety_margin'],
      message: `must be at most half of lease.fence_margin (${fence_margin}ms), or the machine is reset while the fence is still at work`,
    });
  }
  if (settings.mode === 'required' && longest === 0) {
    findings.push({
      path: ['watchdog', 'mode'],
      message: `required cannot be kept: lease.ttl (${ttl}ms) less keep_alive (${keep_alive}ms) and safety margin (${safety}ms) leaves no whole second for the device`,
    });
  }
  return findings;
}

function router({ router: settings, nodes = [] }: Config): Finding[] {
  const { weights, listen, http_listen, unix_socket_dir } = settings;
  const findings: Finding[] = accessFindings(settings).map(({ path, message }) => ({
    path: ['router', ...path],
    message,
  }));
  if (Buffer.byteLength(unix_socket_dir ?? '') > SOCKET_DIR_BYTES_MAX) {
    findings.push({ path: ['router', 'unix_socket_dir'], message: TOO_LONG_FOR_A_SOCKET });
  }
  const own = [...Object.values(weights.members), ...nodes.map(({ weight }) => weight ?? 0)];
  if (weights.local === 0 && weights.remote === 0 && own.every((weight) => weight === 0)) {
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
  if (restapi !== undefined && restapi.verify_client !== 'none') {
    for (const file of ['certfile', 'cafile'] as const) {
      if (restapi[file] === undefined)
        add(['restapi', 'verify_client'], `${restapi.verify_client} needs restapi.${file}`);
    }
  }
  if (postgresql === undefined) return findings;
  if (restapi !== undefined && sameAddress(restapi.listen, postgresql.listen)) {
    add(['restapi', 'listen'], `is postgresql.listen too: ${formatAddress(restapi.listen)}`);
  }
  const { superuser, replication, rewind } = postgresql.authentication;
  const isRewindOwn = rewind.username !== superuser.username || rewind.password === superuser.password;
  if ([superuser.username, rewind.username].includes(replication.username) || !isRewindOwn) {
    add(
      ['postgresql', 'authentication'],
      'superuser, replication and rewind must be three different roles, or rewind the superuser with its password',
    );
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
