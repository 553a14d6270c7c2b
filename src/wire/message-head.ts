/**
 * Beginnings of messages too long to be held: tag, length of the whole message, first fields. Whoever gets a message as a
 * Buffer may get such a beginning; its length word tells which. The rest is read by the server alone. Pure.
 */
import { BodyReader } from './reader.ts';

/** Only the beginning of the message is here. */
export function isHead(message: Buffer): boolean {
  return message.length <= message.readInt32BE(1);
}

/** The names of a Bind; nothing behind them is looked at. */
export function readBindNames(message: Buffer): { readonly portal: string; readonly statement: string } {
  const reader = new BodyReader(message, 'Bind');
  return { portal: reader.cstring('portal'), statement: reader.cstring('statement') };
}

/** Gives `changed`, made of all of `message` that is here, the length of the whole: the rest follows as it comes. */
export function withRestOf(message: Buffer, changed: Buffer): Buffer {
  const missing = message.readInt32BE(1) + 1 - message.length;
  if (missing > 0) changed.writeInt32BE(changed.length - 1 + missing, 1);
  return changed;
}
