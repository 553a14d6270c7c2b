/** Messages that are not work: those that are skipped after an error, and those behind which the protocol makes no sense. Pure. */
import { FRONTEND, ReadyForQuery } from '../wire/index.ts';
import { REPLY } from './replies.ts';
import type { Session } from './session.ts';
import type { SessionEffects } from './session-types.ts';

/** PostgreSQL reads over Flush and Sync among COPY data, and takes everything else for the end of all sense. */
export function endAmongCopyData(session: Session, effects: SessionEffects, tag: number): void {
  if (tag === FRONTEND.Flush || tag === FRONTEND.Sync) return;
  session.say(REPLY.unexpectedInCopy(tag));
  session.say(REPLY.outOfStep());
  session.end();
  effects.endClient();
}

/** A message is malformed. */
export function endForViolation(session: Session, effects: SessionEffects, what: string): void {
  session.say(REPLY.protocolViolation(what));
  session.end();
  effects.endClient();
}

/** After an error of the extended protocol everything up to the Sync is read over. */
export function skipMessage({ standing }: Session, effects: SessionEffects, tag: number): void {
  if (tag !== FRONTEND.Sync) return;
  standing.stopSkipping();
  effects.toClient(ReadyForQuery(standing.status));
}
