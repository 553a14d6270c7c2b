/**
 * The keys under `router` that say who may come in, how they prove it, and what is encrypted. PgBouncer's names where the
 * meaning is PgBouncer's. What does not fit together among them is found here too. Part of schema.ts.
 */
import { z } from 'zod';
import { parseHba } from '../auth/index.ts';
import type { Path } from './source.ts';

const path = (described: string, example: string) =>
  z
    .string()
    .min(1)
    .optional()
    .meta({ description: described, examples: [example] });

const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
const sslMode = z.enum(SSL_MODES);

export const accessKeys = {
  client_tls_sslmode: sslMode
    .default('disable')
    .describe(
      'TLS of clients. disable: none; allow and prefer: if the client wants it; require: always; verify-ca and verify-full: with a certificate of client_tls_ca_file. Unix sockets are never encrypted.',
    ),
  client_tls_cert_file: path(
    'The router’s certificate and its chain, PEM; read again when it changes.',
    '/etc/matriarch/router.crt',
  ),
  client_tls_key_file: path('Its private key, PEM.', '/etc/matriarch/router.key'),
  client_tls_ca_file: path(
    'Who may sign certificates of clients, PEM; without it none is asked for.',
    '/etc/matriarch/clients-ca.crt',
  ),
  client_tls_protocols: z
    .enum(['secure', 'tlsv1.2', 'tlsv1.3'])
    .default('secure')
    .describe('Versions of TLS for clients; secure: 1.2 and 1.3.'),
  client_tls_ciphers: z
    .string()
    .min(1)
    .optional()
    .meta({ description: 'Ciphers for clients, in OpenSSL’s form.', examples: ['HIGH:!aNULL'] }),
  server_tls_sslmode: sslMode
    .default('prefer')
    .describe(
      'TLS to servers. disable: none; allow and prefer: if the server has it; require: always; verify-ca: with a certificate of server_tls_ca_file; verify-full: that names the server’s host, too.',
    ),
  server_tls_ca_file: path('Who may sign certificates of servers, PEM.', '/etc/matriarch/servers-ca.crt'),
  server_tls_cert_file: path(
    'Certificate that the router shows to servers, PEM.',
    '/etc/matriarch/to-servers.crt',
  ),
  server_tls_key_file: path('Its private key, PEM.', '/etc/matriarch/to-servers.key'),
  auth_type: z
    .enum(['scram-sha-256', 'md5', 'plain', 'cert', 'trust', 'hba'])
    .default('scram-sha-256')
    .describe(
      'How clients prove who they are. md5: with md5 where that is what is stored, else with SCRAM; plain: the password itself; cert: by the name in their certificate; trust: not at all. Host rules (hba, auth_hba_file) decide instead where there are any; hba: there must be some.',
    ),
  auth_hba_file: path(
    'Host rules in the format of pg_hba.conf; read again when it changes.',
    '/etc/matriarch/router_hba.conf',
  ),
  hba: z
    .array(z.string())
    .default([])
    .meta({
      description:
        'Host rules, ahead of those of auth_hba_file. The first that fits decides, without one a client is refused.',
      examples: [['hostssl all all 10.0.0.0/8 scram-sha-256', 'local all all trust']],
    }),
  auth_ident_file: path(
    'User maps for the method cert, in the format of pg_ident.conf.',
    '/etc/matriarch/router_ident.conf',
  ),
  auth_file: path(
    'Users and their secrets in the format of PgBouncer’s userlist.txt; read again when it changes. Users who are not in it are looked up only if auth_user is set.',
    '/etc/matriarch/userlist.txt',
  ),
  auth_user: z
    .string()
    .min(1)
    .optional()
    .meta({
      description:
        'Role that looks up the secrets of others; without it that of the cluster, whose password is in etcd.',
      examples: ['matriarch_router'],
    }),
  auth_password: z
    .string()
    .min(1)
    .optional()
    .meta({ description: 'Its password; else that of auth_file.', examples: ['change-me'] }),
  auth_password_file: path('File with its password.', '/etc/matriarch/lookup-password'),
  auth_query: z
    .string()
    .min(1)
    .default('SELECT verifier FROM matriarch.router_lookup($1)')
    .describe(
      'Query for the secret of the role $1: one column, or the name and the secret, as PgBouncer’s. `matriarch auth install` makes the function.',
    ),
  auth_dbname: z.string().min(1).default('postgres').describe('Database in which auth_query runs.'),
  unix_socket_dir: path(
    'Directory of the router’s Unix socket, .s.PGSQL.PORT; without it there is none.',
    '/run/postgresql',
  ),
  unix_socket_mode: z
    .string()
    .regex(/^0?[0-7]{3}$/, 'expected a mode such as 0777')
    .default('0777')
    .describe('Who may connect to the Unix socket, as a mode of files.'),
};

const keysSchema = z.strictObject(accessKeys);
type AccessSettings = z.output<typeof keysSchema>;

/** What does not fit together; paths below `router`. */
export function accessFindings(
  settings: AccessSettings,
): readonly { readonly path: Path; readonly message: string }[] {
  const findings: { readonly path: Path; readonly message: string }[] = [];
  const needs = (key: keyof AccessSettings, by: string): void => {
    if (settings[key] === undefined) findings.push({ path: [key], message: `is missing: ${by} needs it` });
  };
  const { client_tls_sslmode: client, server_tls_sslmode: server, auth_type } = settings;
  if (client !== 'disable') {
    needs('client_tls_cert_file', `client_tls_sslmode: ${client}`);
    needs('client_tls_key_file', `client_tls_sslmode: ${client}`);
  }
  if (isVerifying(client)) needs('client_tls_ca_file', `client_tls_sslmode: ${client}`);
  if (isVerifying(server)) needs('server_tls_ca_file', `server_tls_sslmode: ${server}`);
  if (settings.server_tls_cert_file !== undefined) needs('server_tls_key_file', 'server_tls_cert_file');
  if (auth_type === 'cert') needs('client_tls_ca_file', 'auth_type: cert');
  if (settings.auth_password !== undefined || settings.auth_password_file !== undefined)
    needs('auth_user', 'auth_password');
  return [...findings, ...hbaFindings(settings)];
}

function hbaFindings({
  auth_type,
  auth_hba_file,
  hba,
}: AccessSettings): readonly { readonly path: Path; readonly message: string }[] {
  if (auth_type === 'hba' && auth_hba_file === undefined && hba.length === 0)
    return [{ path: ['auth_type'], message: 'hba needs auth_hba_file, or rules in hba' }];
  return hba.flatMap((line, index) =>
    parseHba(line).problems.map(({ message }) => ({ path: ['hba', index], message })),
  );
}

function isVerifying(mode: (typeof SSL_MODES)[number]): boolean {
  return mode === 'verify-ca' || mode === 'verify-full';
}
