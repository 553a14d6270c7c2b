/**
 * What a session does when one of its server connections is lost: forget it, run the work again, or say what
 * became of it. Which of these is lost.ts's to judge; here it is carried out. The client's connection stays,
 * unless all that it does is to listen. Pure.
 */
import { CommandComplete, type TransactionStatus } from '../wire/index.ts';
import type { Link } from './link.ts';
import { type LossFacts, whenServerLost } from './lost.ts';
import type { Placement } from './placement.ts';
import { REPLY } from './replies.ts';
import type { LossReason } from './route.ts';
import type { Session } from './session.ts';
import type { SessionOptions } from './session-types.ts';

export class Losses {
  readonly #session: Session;
  readonly #placement: Placement;
  readonly #options: SessionOptions;
  /** The connection of a pinned session is gone, and the client has not been told. */
  #pinLost: LossReason | undefined = undefined;
  /** A batch has lost its server between two parts. */
  #untold: (Pick<LossFacts, 'status' | 'hasNothingToCommit'> & { readonly because: LossReason }) | undefined =
    undefined;

  constructor(session: Session, placement: Placement, options: SessionOptions) {
    this.#session = session;
    this.#placement = placement;
    this.#options = options;
  }

  /** The client is still to be told that its session's state is lost. */
  get hasPinLost(): boolean {
    return this.#pinLost !== undefined;
  }

  /** Why the session's state was lost, once. */
  takePinLost(): LossReason | undefined {
    const because = this.#pinLost;
    this.#pinLost = undefined;
    return because;
  }

  /** What was borrowed of members that are gone, or for writes at who leads no more, is lost. */
  worldChanged(): void {
    const { world } = this.#options;
    const leader = world.leader();
    for (const link of Array.from(this.#placement.links)) {
      if (!world.isMember(link.member)) this.lose(link, 'member-gone');
      else if (leader !== undefined && leader !== link.member && this.#writesOn(link)) {
        this.lose(link, 'leader-changed');
      }
    }
  }

  /** Whether `link` is in use for what only a primary may do: then it is cut when another becomes leader. */
  #writesOn(link: Link): boolean {
    const { unit, transaction } = this.#session;
    if (link === transaction) return this.#placement.transactionNeed === 'primary';
    if (unit.kind !== 'none' && unit.link === link) return unit.sentFor === 'primary';
    return link === this.#placement.pinnedTo && link.proof !== undefined;
  }

  lose(link: Link, because: LossReason): void {
    if (!this.#placement.links.includes(link)) return;
    const session = this.#session;
    const { unit } = session;
    const isTransaction = link === session.transaction;
    const isInTransaction = isTransaction || session.standing.prelude.isOpen;
    const status: TransactionStatus = isInTransaction ? session.standing.status : 'I';
    const isAtWork = unit.kind !== 'none' && unit.phase === 'sent' && unit.link === link;
    // What was perhaps done is to be seen by those who look whether it was.
    if (isAtWork && (unit.need === 'primary' || isTransaction || unit.isAnswered))
      this.#placement.noteSeen(unit, link, session.now);
    const isWaitingForNews =
      unit.kind === 'none' &&
      !isInTransaction &&
      link === this.#placement.pinnedTo &&
      this.#placement.listens;
    const { transactionNeed, transactionLeader } = this.#placement;
    const isAtStandby = transactionLeader !== undefined && transactionLeader !== link.member;
    const hasNothingToCommit = isTransaction && transactionNeed !== 'primary' && isAtStandby;
    // The client has all answers to a batch that it goes on with later: an error now it would take for nobody's.
    const isBetween = unit.kind === 'batch' && !unit.isClosed && !unit.isFailed && !link.pipeline.owesClient;
    this.drop(link, because);
    this.#options.effects.serverLost(because);
    this.#options.effects.note('server-connection-lost', { member: link.member, because, isAtWork, status });
    // It may say nothing for ever, and is never to hear what it waits for: an error with its next statement is too late.
    if (isWaitingForNews) session.say(REPLY.listenerLost(because));
    if (isWaitingForNews || (isAtWork && link.isCutInMessage)) {
      session.end();
      this.#options.effects.endClient();
      return;
    }
    if (isAtWork && isBetween) this.#untold = { status, hasNothingToCommit, because };
    else if (isAtWork) this.#settle({ status, hasNothingToCommit }, because);
    else if (!isTransaction) session.placeAgain();
    // What of a batch is here is of that transaction: at another server it would be one of its own, and be committed.
    else if (unit.kind !== 'none') this.#failInLimbo(because);
    else session.standing.enterLimbo(because, false);
  }

  /** A message comes behind a loss that the client was not told of: it is now. */
  tell(): boolean {
    const untold = this.#untold;
    if (untold === undefined) return false;
    this.#untold = undefined;
    this.#settle(untold, untold.because);
    return true;
  }

  /** The server of the open transaction is let go because the router fails it: so nothing of it is committed. */
  giveUp(link: Link): void {
    this.drop(link, 'given-up');
    this.#session.standing.enterLimbo('given-up', true);
  }

  /** Takes the link out of use; if the session's state was there, the client is told with its next statement. */
  drop(link: Link, because: LossReason): void {
    if (link === this.#placement.pinnedTo) this.#pinLost = because;
    this.#placement.drop(link);
  }

  /** The unit that was sent will not be answered: says so, or runs it again. */
  #settle(transaction: Pick<LossFacts, 'status' | 'hasNothingToCommit'>, because: LossReason): void {
    const session = this.#session;
    const { unit } = session;
    // What the server did not get to its end it has not begun; in a batch it may have got other things before.
    const isPartial =
      unit.kind !== 'batch' && unit.link !== undefined && unit.link === session.intake.long.link;
    const verdict = whenServerLost({
      ...transaction,
      begins: session.standing.prelude.isOpen,
      ends: isPartial ? undefined : unit.ends,
      writes: unit.writes && !isPartial,
      answered: unit.isAnswered,
      failed: unit.isFailed,
      copyUnfinished: unit.isCopyIn && !unit.isCopyDone,
      repeatable: !unit.isStreamed && unit.attempts < this.#options.config().retry_reads,
    });
    switch (verdict) {
      case 'again':
        if (unit.member !== undefined) unit.excluded.add(unit.member);
        unit.again();
        session.prepared.restart();
        session.place();
        return;
      case 'over':
        session.conclude();
        return;
      case 'failed':
        session.fail(REPLY.failed(because));
        return;
      case 'in-doubt':
        session.standing.transactionOver();
        session.fail(REPLY.inDoubt(because));
        return;
      case 'rolled-back':
        session.standing.transactionOver();
        this.#answerRollback(because);
        return;
      case 'failed-at-end':
        session.standing.transactionOver();
        session.fail(REPLY.failed(because));
        return;
      case 'transaction-lost':
        this.#failInLimbo(because);
    }
  }

  #failInLimbo(because: LossReason): void {
    const session = this.#session;
    session.standing.enterLimbo(because, true);
    if (session.unit.isFailed) session.conclude();
    else session.fail(REPLY.transactionLost(because));
  }

  /** ROLLBACK was asked for, and happened by the loss; only a simple query's answer can be made up whole. */
  #answerRollback(because: LossReason): void {
    const session = this.#session;
    const { unit, intake } = session;
    if (unit.kind !== 'query' || unit.isAnswered || unit.mayChain || intake.hasRest) {
      session.fail(REPLY.failed(because));
      return;
    }
    this.#options.effects.toClient(CommandComplete('ROLLBACK'));
    session.conclude();
  }
}
