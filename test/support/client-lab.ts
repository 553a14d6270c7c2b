/**
 * The one lab that the clients' tests share. The runner imports all of them into one process, so that these hooks run
 * once; a file that is run alone brings up its own. The tables that the guests read are made here, and are on all
 * three servers before a client comes: a read outside a transaction may go to any of them.
 */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before } from 'node:test';
import pg from 'pg';
import { parseDocument } from 'yaml';
import { allSettings } from '../../src/config/index.ts';
import { ACCOUNTS, inspectMachine } from '../../src/lab/index.ts';
import { eventually } from './eventually.ts';
import { placeForLab, type TestLab } from './lab.ts';
import { runProgram } from './program.ts';

/** Where a client connects to, and as whom. */
export interface Place {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** What this place answers to an SSLRequest. */
  readonly offersTls: boolean;
}

export interface ClientLab {
  readonly lab: TestLab;
  /** PostgreSQL's programs: pgbench among them. */
  readonly binDir: string;
  /** The first server, which is the primary until somebody says otherwise. */
  readonly direct: Place;
  /** By datacenter: the first is beside the primary, the others read from their own standby. */
  readonly routers: readonly [Place, Place, Place];
}

let shared: ClientLab | undefined;

/** The lab of this process; of tests, not of modules. */
export function clientLab(): ClientLab {
  assert.ok(shared !== undefined, 'the lab is up when the first test begins');
  return shared;
}

let made: TestLab | undefined;
before(async () => {
  made = await placeForLab();
  await made.verb('up', '--base-octet', String(made.baseOctet));
  await offerTls(made);
  shared = await inspect(made);
  await makeTables(shared);
});
after(async () => await made?.end());

/** Routers that know of TLS get a certificate and take it over as they run; of others the scenarios of TLS are skipped. */
async function offerTls(lab: TestLab): Promise<void> {
  if (!allSettings().some(({ key }) => key === 'router.client_tls_sslmode')) return;
  const [cert, key] = [join(lab.folder, 'router.crt'), join(lab.folder, 'router.key')];
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=router', '-days', '2'];
  const signed = await runProgram('openssl', [...request, '-keyout', key, '-out', cert], {
    timeoutMs: 30_000,
  });
  assert.equal(signed.code, 0, signed.stderr);
  for (const host of lab.layout.appHosts) {
    const path = join(lab.folder, 'hosts', host.name, 'matriarch.yaml');
    const document = parseDocument(await readFile(path, 'utf8'));
    document.setIn(['router', 'client_tls_sslmode'], 'allow');
    document.setIn(['router', 'client_tls_cert_file'], cert);
    document.setIn(['router', 'client_tls_key_file'], key);
    await writeFile(path, document.toString());
  }
  for (const { name, router } of lab.layout.appHosts) {
    const offered = async (): Promise<boolean> => await offersTls(router);
    await eventually(`${name} offers TLS`, offered, { holds: (is) => is, withinMs: 20_000 });
  }
}

async function inspect(lab: TestLab): Promise<ClientLab> {
  const { username: user, password, database } = ACCOUNTS.application;
  const place = async (at: { readonly host: string; readonly port: number }): Promise<Place> => ({
    ...at,
    user,
    password,
    database,
    offersTls: await offersTls(at),
  });
  const [first, second, third] = lab.layout.appHosts;
  return {
    lab,
    binDir: (await inspectMachine(0, process.env['PATH'] ?? '')).binDir,
    direct: await place(lab.layout.dbHosts[0].postgres),
    routers: [await place(first.router), await place(second.router), await place(third.router)],
  };
}

const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** Asks as a client does, and goes away. */
async function offersTls(at: { readonly host: string; readonly port: number }): Promise<boolean> {
  return await new Promise((resolve, reject) => {
    const socket = connect(at, () => socket.write(SSL_REQUEST));
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer to an SSLRequest within 10 s')));
    socket.once('data', (answer) => {
      resolve(answer[0] === 'S'.charCodeAt(0));
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

const TABLES = `
  CREATE TABLE item (id int PRIMARY KEY, name text NOT NULL, price numeric(10,2) NOT NULL DEFAULT 0);
  INSERT INTO item SELECT g, 'item ' || g, g / 4.0 FROM generate_series(1, 1000) g;
  CREATE TABLE note (id int PRIMARY KEY, body text, item_id int REFERENCES item (id));
  ANALYZE;
`;

/** What a client wrote is gone, so that the next finds what the one before it found. */
export async function emptyTables(): Promise<void> {
  const { host, port, user, password, database } = clientLab().direct;
  const client = new pg.Client({ host, port, user, password, database });
  await client.connect();
  await client.query('DELETE FROM note');
  await client.end();
}

async function makeTables({ lab, binDir, direct }: ClientLab): Promise<void> {
  const { host, port, user, password, database } = direct;
  const at = ['-h', host, '-p', String(port), '-U', user];
  const env = { PGPASSWORD: password };
  const bench = await runProgram(join(binDir, 'pgbench'), ['-i', '-q', '-s', '1', ...at, database], {
    env,
    timeoutMs: 60_000,
  });
  assert.equal(bench.code, 0, bench.stderr);
  const client = new pg.Client({ host, port, user, password, database });
  await client.connect();
  await client.query(TABLES);
  const { rows } = await client.query<{ at: string }>('SELECT pg_current_wal_insert_lsn() AS at');
  await client.end();
  for (const { postgres } of lab.layout.dbHosts.slice(1)) {
    const standby = new pg.Client({ ...postgres, user, password, database });
    await standby.connect();
    const replayed = async (): Promise<boolean> => {
      const { rows: seen } = await standby.query<{ there: boolean }>(
        'SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS there',
        [rows[0]?.at],
      );
      return seen[0]?.there === true;
    };
    await eventually('the standby has the tables', replayed, { holds: (there) => there, withinMs: 30_000 });
    await standby.end();
  }
}
