/** The door of `wire`: PostgreSQL's protocol as values and slices, both directions. Pure. */
export * from './backend.ts';
export { copyInto } from './copy.ts';
export type { ErrorFields } from './error-fields.ts';
export { type Delivery, FrameReader, type FrameSink } from './frame.ts';
export * from './frontend.ts';
export {
  FRAME_BYTES_MAX,
  type FrameLimits,
  LIMITS_BEFORE_AUTHENTICATION,
  lengthMaxOf,
  MESSAGE_HEAD_BYTES,
  SCRAM_ITERATIONS_MAX,
} from './limits.ts';
export { isHead, readBindNames } from './message-head.ts';
export { saslprep } from './saslprep.ts';
export {
  type ScramBinding,
  type ScramClientFailure,
  type ScramClientStart,
  type ScramCredential,
  scramClientFinal,
  scramClientFirst,
  scramClientVerify,
} from './scram-client.ts';
export {
  type ScramServerExchange,
  type ScramServerFailure,
  type ScramServerOptions,
  scramServerFinal,
  scramServerFirst,
} from './scram-server.ts';
export {
  buildVerifier,
  deriveKeys,
  mockVerifier,
  parseVerifier,
  renderVerifier,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
  type Verifier,
} from './scram-verifier.ts';
export { SQLSTATE } from './sqlstate.ts';
export {
  type CancelTarget,
  type ProtocolVersion,
  readStartup,
  type Startup,
  type StartupPacket,
  StartupReader,
} from './startup.ts';
export { BACKEND, FRONTEND } from './tag.ts';
export { describeTag, ProtocolViolation, type ViolationCode, type ViolationPlace } from './violation.ts';
