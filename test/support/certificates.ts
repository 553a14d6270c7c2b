/** Certificates for tests, made by openssl in a folder of the test. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface LeafOptions {
  readonly name: string;
  /** Subject alternative name, e.g. `IP:127.0.0.1`. */
  readonly san?: string;
  /** Of the signature. */
  readonly digest?: 'sha1' | 'sha256' | 'sha384' | 'sha512';
  readonly file?: string;
}

export async function aCa(folder: string, name: string): Promise<Certificate> {
  const made = { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  await run('openssl', [
    'req',
    '-x509',
    ...EC,
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    made.key,
    '-out',
    made.cert,
  ]);
  return made;
}

/** Of its own: a file that counts them would be written by several at once. */
const serial = (): string => `0x${randomBytes(8).toString('hex')}`;

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** Signed by `ca`; files that are there are replaced at once, as a renewal does. */
export async function aLeaf(folder: string, ca: Certificate, options: LeafOptions): Promise<Certificate> {
  const { name, san, digest = 'sha256', file = name } = options;
  const made = { cert: join(folder, `${file}.crt`), key: join(folder, `${file}.key`) };
  const request = join(folder, `${file}.csr`);
  const extensions = join(folder, `${file}.ext`);
  await writeFile(extensions, san === undefined ? '' : `subjectAltName=${san}\n`);
  await run('openssl', ['req', '-new', ...EC, '-subj', `/CN=${name}`, '-keyout', made.key, '-out', request]);
  const signing = ['-CA', ca.cert, '-CAkey', ca.key, '-set_serial', serial(), '-days', '2', `-${digest}`];
  await run('openssl', [
    'x509',
    '-req',
    '-in',
    request,
    ...signing,
    '-extfile',
    extensions,
    '-out',
    made.cert,
  ]);
  await chmod(made.key, 0o600);
  return made;
}

/** Signed by itself, with a key and a signature of another kind. */
export async function aSelfSigned(
  folder: string,
  file: string,
  how: readonly string[],
): Promise<Certificate> {
  const made = { cert: join(folder, `${file}.crt`), key: join(folder, `${file}.key`) };
  await run('openssl', [
    'req',
    '-x509',
    ...how,
    '-nodes',
    '-days',
    '2',
    '-subj',
    `/CN=${file}`,
    '-keyout',
    made.key,
    '-out',
    made.cert,
  ]);
  return made;
}

/** A key that a server running as another user insists to own. */
export async function giveTo(user: string, file: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { stdout } = await run('id', ['-u', user]);
  await chown(file, Number(stdout), 0);
}
