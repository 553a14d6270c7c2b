/** The files of TLS to etcd, read once; who presents a certificate of none of the authorities is not talked to. */
import { readFileSync } from 'node:fs';
import { describe, MatriarchError } from '../base/index.ts';

/** As Node's TLS takes them; empty where nothing is said. */
export interface EtcdTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** Throws `config-unreadable`. */
export function readTls(files: {
  readonly cacert?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}): EtcdTls {
  const { cacert, cert, key = cert } = files;
  return {
    ...(cacert === undefined ? {} : { ca: read(cacert) }),
    ...(cert === undefined ? {} : { cert: read(cert) }),
    ...(key === undefined ? {} : { key: read(key) }),
  };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new MatriarchError('config-unreadable', `cannot read ${file}: ${describe(cause)}`, { cause });
  }
}
