/** CLIENTS, SERVERS, SOCKETS and ACTIVE_SOCKETS: connections, in PgBouncer's columns; and PINS, which it has not. */
import type { AdminFacts, ClientFacts, ServerFacts } from './facts.ts';
import { type ColumnOf, columnsFor, type Table, tableOf } from './table.ts';
import { timestamp } from './timestamp.ts';

/** A connection as a row: what clients and servers have in common, and what differs. */
interface SocketRow {
  readonly type: 'C' | 'S';
  readonly state: string;
  readonly connection: ClientFacts | ServerFacts;
  readonly waitMs: number;
  readonly isCloseNeeded: boolean;
  readonly link: string;
  readonly processId: number;
}

const of = columnsFor<SocketRow>();

const CONNECTION_COLUMNS: readonly ColumnOf<SocketRow>[] = [
  of.text('type', ({ type }) => type),
  of.text('user', ({ connection }) => connection.user),
  of.text('database', ({ connection }) => connection.database),
  of.text('replication', ({ connection }) => connection.replication),
  of.text('state', ({ state }) => state),
  of.text('addr', ({ connection }) => connection.address),
  of.int4('port', ({ connection }) => connection.port),
  of.text('local_addr', ({ connection }) => connection.localAddress),
  of.int4('local_port', ({ connection }) => connection.localPort),
  of.text('connect_time', ({ connection }) => timestamp(connection.connectedAtMs)),
  of.text('request_time', ({ connection }) => timestamp(connection.requestedAtMs)),
  of.int4('wait', ({ waitMs }) => Math.floor(waitMs / 1000)),
  of.int4('wait_us', ({ waitMs }) => microsecondPart(waitMs)),
  of.int4('close_needed', ({ isCloseNeeded }) => Number(isCloseNeeded)),
  of.text('ptr', ({ type, connection }) => pointer(type, connection.id)),
  of.text('link', ({ link }) => link),
  of.int4('remote_pid', ({ processId }) => processId),
  of.text('tls', ({ connection }) => connection.tls),
  of.text('application_name', ({ connection }) => connection.applicationName),
  of.int4('prepared_statements', ({ connection }) => connection.preparedStatements),
  of.int4('id', ({ connection }) => connection.id),
];

/** PgBouncer's places in its buffers; we have only amounts. */
const BUFFER_COLUMNS: readonly ColumnOf<SocketRow>[] = [
  of.int4('recv_pos', ({ connection }) => connection.unreadBytes),
  of.int4('pkt_pos', () => 0),
  of.int4('pkt_remain', () => 0),
  of.int4('send_pos', () => 0),
  of.int4('send_remain', ({ connection }) => connection.unsentBytes),
  of.int4('pkt_avail', ({ connection }) => connection.unreadBytes),
  of.int4('send_avail', ({ connection }) => connection.unsentBytes),
];

const SOCKET_COLUMNS = [...CONNECTION_COLUMNS, ...BUFFER_COLUMNS];

export const CLIENTS: Table = tableOf(
  ({ clients }) => clients.filter(({ state }) => state !== 'login').map((client) => clientRow(client)),
  () => CONNECTION_COLUMNS,
);

export const SERVERS: Table = tableOf(
  ({ servers }) => servers.map((server) => serverRow(server)),
  () => CONNECTION_COLUMNS,
);

export const SOCKETS: Table = tableOf(
  (facts) => socketRows(facts),
  () => SOCKET_COLUMNS,
);

export const ACTIVE_SOCKETS: Table = tableOf(
  (facts) =>
    socketRows(facts).filter(({ connection }) => connection.unreadBytes > 0 || connection.unsentBytes > 0),
  () => SOCKET_COLUMNS,
);

interface PinRow {
  readonly client: ClientFacts;
  readonly because: string;
  readonly sinceMs: number;
  readonly node: string | undefined;
}

/** Clients that cannot share their server connection, and why. */
export const PINS: Table = tableOf(
  (facts) => pinRows(facts),
  ({ text, int4, int8 }) => [
    int4('client_id', ({ client }) => client.id),
    text('user', ({ client }) => client.user),
    text('database', ({ client }) => client.database),
    text('application_name', ({ client }) => client.applicationName),
    text('node', ({ node }) => node),
    int8('server_id', ({ client }) => client.serverId),
    text('because', ({ because }) => because),
    text('since', ({ sinceMs }) => timestamp(sinceMs)),
  ],
);

function pinRows({ clients, servers }: AdminFacts): readonly PinRow[] {
  const nodes = new Map(servers.map(({ id, node }) => [id, node]));
  return clients.flatMap((client) => {
    const { pin, serverId } = client;
    const node = serverId === undefined ? undefined : nodes.get(serverId);
    return pin === undefined ? [] : [{ client, because: pin.because, sinceMs: pin.sinceMs, node }];
  });
}

function socketRows({ clients, servers }: AdminFacts): readonly SocketRow[] {
  return [
    ...clients.map((client) => clientRow(client, `cl_${client.state}`)),
    ...servers.map((server) => serverRow(server, server.state === 'new' ? 'sv_login' : `sv_${server.state}`)),
  ];
}

function clientRow(client: ClientFacts, state: string = client.state): SocketRow {
  return {
    type: 'C',
    state,
    connection: client,
    waitMs: client.waitMs,
    isCloseNeeded: false,
    link: client.serverId === undefined ? '' : pointer('S', client.serverId),
    processId: 0,
  };
}

function serverRow(server: ServerFacts, state: string = server.state): SocketRow {
  return {
    type: 'S',
    state,
    connection: server,
    waitMs: 0,
    isCloseNeeded: server.isCloseNeeded,
    link: server.clientId === undefined ? '' : pointer('C', server.clientId),
    processId: server.processId,
  };
}

/** Where PgBouncer shows an address in its memory: the same on both sides of a link, which is what it is good for. */
function pointer(type: 'C' | 'S', id: number): string {
  return `${type}${id}`;
}

/** What `wait` leaves of a time: a part of a second, in µs. */
export function microsecondPart(ms: number): number {
  return Math.floor((ms % 1000) * 1000);
}
