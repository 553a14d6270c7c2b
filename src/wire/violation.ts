/**
 * The one error of this folder: the other side broke the protocol. The connection cannot go on, because the
 * next message's place in the stream is unknown or its meaning in doubt. SQLSTATE 08P01 for a client.
 */
import { SQLSTATE } from './sqlstate.ts';

/** Which rule was broken. */
export type ViolationCode =
  | 'bad-length' // a length word below what the message needs at least
  | 'over-limit' // a message larger than we hold
  | 'past-end' // a field that reaches beyond its message
  | 'missing-terminator' // a string without its NUL
  | 'trailing-bytes' // bytes left over behind the last field
  | 'bad-value'; // a field whose value the manual does not know

/** Where it was broken; which of these are set depends on the code. */
export interface ViolationPlace {
  /** Name of the message in the manual, or of its tag where only that is known. */
  readonly message: string;
  readonly field?: string;
  /** Offset of the field in the message, counted from the tag (from the length word in untagged packets). */
  readonly offset?: number;
  readonly tag?: number;
  /** The length word as received; it counts itself but not the tag. */
  readonly length?: number;
  /** The bound in force, in bytes. */
  readonly limit?: number;
}

/** Thrown by every reader of this folder for bytes that break the protocol; nothing else is. */
export class ProtocolViolation extends Error {
  override readonly name = 'ProtocolViolation';
  readonly sqlstate = SQLSTATE.protocolViolation;
  readonly because: ViolationCode;
  readonly place: ViolationPlace;

  constructor(because: ViolationCode, place: ViolationPlace) {
    super(`message ${place.message} ${SENTENCES[because](place)}`);
    this.because = because;
    this.place = place;
  }
}

/** How a tag byte is written in messages to people. */
export function describeTag(tag: number): string {
  const hex = `0x${tag.toString(16).padStart(2, '0')}`;
  return tag > 0x20 && tag < 0x7f ? `'${String.fromCharCode(tag)}' (${hex})` : hex;
}

const SENTENCES: Readonly<Record<ViolationCode, (place: ViolationPlace) => string>> = {
  'bad-length': (place) => `has the impossible length ${place.length ?? '?'}`,
  'over-limit': (place) => `has length ${place.length ?? '?'}, over the limit of ${place.limit ?? '?'} bytes`,
  'past-end': (place) => `ends before its field ${describeField(place)}`,
  'missing-terminator': (place) => `has no NUL byte at the end of its field ${describeField(place)}`,
  'trailing-bytes': (place) => `goes on after its last field, at byte ${place.offset ?? '?'}`,
  'bad-value': (place) => `has an unknown value in its field ${describeField(place)}`,
};

function describeField(place: ViolationPlace): string {
  return `"${place.field ?? '?'}" at byte ${place.offset ?? '?'}`;
}
