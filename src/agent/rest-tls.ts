/** TLS of the REST API, from the section `restapi`: Patroni's meaning of `verify_client`. */
import { createSecureContext, type TlsOptions } from 'node:tls';
import { describe, MatriarchError } from '../base/index.ts';
import type { RestapiConfig } from '../config/index.ts';
import { keyPair, readPem } from './rest-client.ts';

/**
 * Undefined where there is no certificate. `required` ends a handshake without a good client certificate; `optional` asks
 * for one, and rest-access.ts refuses what changes something without it. Rejects with `config-unreadable` or `config-invalid`.
 */
export async function serverTls(restapi: RestapiConfig): Promise<TlsOptions | undefined> {
  const { certfile, keyfile, keyfile_password: passphrase, cafile, verify_client: verify } = restapi;
  if (certfile === undefined) return undefined;
  const material = {
    ...(await keyPair(certfile, keyfile)),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(cafile === undefined ? {} : { ca: await readPem(cafile) }),
  };
  try {
    createSecureContext(material);
  } catch (cause) {
    throw new MatriarchError('config-invalid', `restapi.certfile cannot be used: ${describe(cause)}`, {
      cause,
    });
  }
  return {
    ...material,
    requestCert: verify !== 'none',
    rejectUnauthorized: verify === 'required',
    minVersion: 'TLSv1.2',
  };
}
