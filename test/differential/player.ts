/**
 * Plays a conversation on one connection and gives back what was said, as lines. Messages between two waits go out
 * in one write, as a pipelining client sends them. Ends with a goodbye, whatever state the conversation is left in.
 */
import { WireClient, type WireLogin } from '../support/wire-client.ts';
import { type Conversation, messageOf, renderStep, type Step } from './steps.ts';

/** A step that was not answered in time is this line; nothing after it is played. */
export const STUCK = '(no answer)';

export async function play(conversation: Conversation, login: WireLogin): Promise<readonly string[]> {
  const client = await WireClient.connect({
    ...login,
    parameters: { ...login.parameters, ...conversation.startup },
  });
  const lines = [...atStart(client.lines)];
  let taken = client.lines.length;
  const take = (): void => {
    lines.push(...inAnyOrder(client.lines.slice(taken)));
    taken = client.lines.length;
  };
  try {
    let batch: Buffer[] = [];
    let isBound = false;
    const own = new OwnPortals();
    for (const step of [...conversation.steps, { kind: 'await' } satisfies Step]) {
      if (client.isClosed) break;
      if (step.kind === 'bind' && step.portal === '') isBound = true;
      if (step.kind === 'sync' || step.kind === 'query') isBound = false;
      if (own.areUsed(step) || isStale(step, isBound, client.lines)) continue;
      lines.push(`> ${renderStep(step)}`);
      const message = messageOf(step);
      if (message !== undefined) {
        batch.push(message);
        // What follows a COPY depends on what the server was sent before.
        if (client.isCopyIn) {
          client.send(batch);
          batch = [];
        }
        continue;
      }
      const from = client.lines.length;
      client.send(batch);
      batch = [];
      if (step.kind === 'awaitReady') await client.said('ReadyForQuery', taken);
      if (step.kind === 'cancelAtNotice') {
        await client.said('NoticeResponse', from);
        await client.cancel();
      }
      const isAnswered = await client.answered();
      take();
      if (!isAnswered) {
        lines.push(STUCK);
        break;
      }
      if (step.kind === 'cancelIdle') await client.cancel();
    }
    take();
  } finally {
    await client.end();
  }
  return lines;
}

/**
 * An Execute that PostgreSQL answers by chance. A simple query that fails in a transaction leaves its unnamed portal there,
 * with a list of statements whose memory is freed: to run that is 25P02, 55000, or signal 11 and the end of all sessions.
 */
function isStale(step: Step, isBound: boolean, lines: readonly string[]): boolean {
  if (step.kind !== 'execute' || step.portal !== '' || isBound) return false;
  return lines.findLast((line) => line.startsWith('ReadyForQuery')) === 'ReadyForQuery E';
}

/** Statements that a router may have answered itself. */
const ABOUT_TRANSACTION = /^\s*(?:begin|start|set|commit|end|rollback|abort)\b/i;

/**
 * The unnamed portal of a BEGIN and the like outlives its Sync, since it has begun the transaction that it is in; a router
 * which has answered it has no portal. docs/differences.md says so; a conversation does not use one again.
 */
class OwnPortals {
  readonly #statements = new Map<string, string>();
  #isOwn = false;
  #isPast = false;

  /** The step uses the unnamed portal of an earlier batch, which may be of this kind. */
  areUsed(step: Step): boolean {
    if (step.kind === 'parse') this.#statements.set(step.name, step.sql);
    if (step.kind === 'bind' && step.portal === '') {
      this.#isOwn = ABOUT_TRANSACTION.test(this.#statements.get(step.statement) ?? '');
      this.#isPast = false;
    }
    if (step.kind === 'sync') this.#isPast = true;
    if (step.kind === 'query') this.#isOwn = false;
    if (!this.#isOwn || !this.#isPast) return false;
    if (step.kind === 'execute') return step.portal === '';
    return step.kind === 'describe' && step.what === 'portal' && step.name === '';
  }
}

/** The order of parameters at start is the sender's own affair; the number of settings is not. */
function atStart(lines: readonly string[]): readonly string[] {
  const parameters = lines.filter((line) => line.startsWith('ParameterStatus')).toSorted();
  return [...parameters, ...lines.filter((line) => !line.startsWith('ParameterStatus'))];
}

/** Parameters that are told together have no order of their own either. */
function inAnyOrder(lines: readonly string[]): readonly string[] {
  const ordered: string[] = [];
  for (let index = 0; index < lines.length; ) {
    let end = index;
    while (lines[end]?.startsWith('ParameterStatus') === true) end += 1;
    if (end === index) end += 1;
    ordered.push(...lines.slice(index, end).toSorted());
    index = end;
  }
  return ordered;
}
