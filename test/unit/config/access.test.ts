/** What the configuration of access must have together, and which rules it refuses by place. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkConfig } from '../../../src/config/index.ts';

const BASE =
  "scope: main\nname: app1\ndatacenter: dc1\netcd: { endpoints: ['http://127.0.0.1:1'] }\nrouter:\n";
const CERTIFICATE = '  client_tls_cert_file: c\n  client_tls_key_file: k\n';

/** What is wrong with these lines of `router`, without their place in the file. */
function wrong(lines: string): string[] {
  const loaded = checkConfig(BASE + lines, {}, 'router');
  return loaded.outcome === 'ok' ? [] : loaded.problems.map(({ key, message }) => `${key}: ${message}`);
}

describe('a router’s access', () => {
  const table: [string, string, string[]][] = [
    ['needs nothing', '  listen: 127.0.0.1:5432\n', []],
    [
      'with TLS needs a certificate',
      '  client_tls_sslmode: prefer\n',
      [
        'router.client_tls_cert_file: is missing: client_tls_sslmode: prefer needs it',
        'router.client_tls_key_file: is missing: client_tls_sslmode: prefer needs it',
      ],
    ],
    ['with TLS and a certificate is complete', `  client_tls_sslmode: require\n${CERTIFICATE}`, []],
    [
      'that verifies clients needs an authority',
      `  client_tls_sslmode: verify-full\n${CERTIFICATE}`,
      ['router.client_tls_ca_file: is missing: client_tls_sslmode: verify-full needs it'],
    ],
    [
      'that verifies servers needs an authority',
      '  server_tls_sslmode: verify-ca\n',
      ['router.server_tls_ca_file: is missing: server_tls_sslmode: verify-ca needs it'],
    ],
    [
      'with a certificate for servers needs its key',
      '  server_tls_cert_file: c\n',
      ['router.server_tls_key_file: is missing: server_tls_cert_file needs it'],
    ],
    [
      'by certificate alone needs an authority',
      '  auth_type: cert\n',
      ['router.client_tls_ca_file: is missing: auth_type: cert needs it'],
    ],
    [
      'by host rules needs some',
      '  auth_type: hba\n',
      ['router.auth_type: hba needs auth_hba_file, or rules in hba'],
    ],
    ['may have its rules in both places', '  auth_hba_file: f\n  hba: [host all all all trust]\n', []],
    [
      'is told which rule is wrong',
      '  auth_type: hba\n  hba: [host all all all trust, local all all peer]\n',
      [
        'router.hba[1]: peer is not supported: Node.js does not tell who is on the other side of a Unix socket',
      ],
    ],
    [
      'with a password needs whose',
      '  auth_password: x\n',
      ['router.auth_user: is missing: auth_password needs it'],
    ],
    [
      'has a mode of the Unix socket that is one',
      '  unix_socket_mode: 999\n',
      ['router.unix_socket_mode: expected a text, found 999'],
    ],
    [
      'has a Unix socket with a path that fits',
      `  unix_socket_dir: /${'x'.repeat(100)}\n`,
      ["router.unix_socket_dir: is longer than 92 bytes, which no Unix socket's path may be"],
    ],
    [
      'has a protocol and ciphers of TLS that are known',
      `  client_tls_protocols: sslv3\n  client_tls_ciphers: HIGH\n`,
      ['router.client_tls_protocols: expected one of secure, tlsv1.2, tlsv1.3, found the text "sslv3"'],
    ],
  ];
  for (const [fact, lines, problems] of table) {
    test(fact, () => assert.deepEqual(wrong(lines), problems));
  }
});
