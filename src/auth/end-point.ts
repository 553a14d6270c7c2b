/**
 * The channel binding tls-server-end-point (RFC 5929 chapter 4): a hash of the server's certificate, by the hash of the
 * certificate's own signature, where md5 and sha1 become sha256. Certificates whose signature names no hash (Ed25519)
 * have no such binding, so -PLUS is not offered with them. The algorithm is read from the DER: Node.js does not tell it.
 */
import { createHash } from 'node:crypto';

const SEQUENCE = 0x30;
const OBJECT_IDENTIFIER = 0x06;
/** [0] of RSASSA-PSS-params: hashAlgorithm. */
const PSS_HASH = 0xa0;
const RSASSA_PSS = '2a864886f70d01010a';

/** Object identifiers in hexadecimal, of signatures and of hashes. */
const HASHES: Readonly<Record<string, string>> = {
  '2a864886f70d010104': 'sha256', // md5WithRSAEncryption
  '2a864886f70d010105': 'sha256', // sha1WithRSAEncryption
  '2a864886f70d01010e': 'sha224',
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a8648ce3d0401': 'sha256', // ecdsa-with-SHA1
  '2a8648ce3d040301': 'sha224',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
  '608648016503040201': 'sha256',
  '608648016503040202': 'sha384',
  '608648016503040203': 'sha512',
  '608648016503040204': 'sha224',
};

interface Value {
  readonly tag: number;
  readonly content: Buffer;
  readonly rest: Buffer;
}

/** Of a certificate in DER; undefined where there is none. */
export function endPointBinding(der: Buffer): Buffer | undefined {
  const hash = hashOf(der);
  return hash === undefined ? undefined : createHash(hash).update(der).digest();
}

/** Certificate = { tbsCertificate, signatureAlgorithm { OID, parameters }, signature }. */
function hashOf(der: Buffer): string | undefined {
  const certificate = read(der, SEQUENCE);
  const signed = certificate === undefined ? undefined : read(certificate.content, SEQUENCE);
  const algorithm = signed === undefined ? undefined : read(signed.rest, SEQUENCE);
  const name = algorithm === undefined ? undefined : read(algorithm.content, OBJECT_IDENTIFIER);
  if (name === undefined) return undefined;
  const oid = name.content.toString('hex');
  return oid === RSASSA_PSS ? hashOfPss(name.rest) : HASHES[oid];
}

/** Without a hash named, PSS means sha1. */
function hashOfPss(parameters: Buffer): string | undefined {
  const fields = read(parameters, SEQUENCE);
  const tagged = fields === undefined ? undefined : read(fields.content, PSS_HASH);
  if (tagged === undefined) return 'sha256';
  const algorithm = read(tagged.content, SEQUENCE);
  const name = algorithm === undefined ? undefined : read(algorithm.content, OBJECT_IDENTIFIER);
  return name === undefined ? undefined : HASHES[name.content.toString('hex')];
}

/** One value of this tag at the front of `bytes`; lengths of up to four bytes. */
function read(bytes: Buffer, tag: number): Value | undefined {
  const [first, short] = bytes;
  if (first !== tag || short === undefined) return undefined;
  const lengthBytes = short < 0x80 ? 0 : short - 0x80;
  const start = 2 + lengthBytes;
  if (lengthBytes > 4 || short === 0x80 || start > bytes.length) return undefined;
  const length = lengthBytes === 0 ? short : bytes.readUIntBE(2, lengthBytes);
  if (start + length > bytes.length) return undefined;
  return { tag, content: bytes.subarray(start, start + length), rest: bytes.subarray(start + length) };
}
