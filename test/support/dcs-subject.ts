/** A store under test, with two clients and short ways to write, for the suites that every store must pass. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before } from 'node:test';
import { type Dcs, DcsError, type DcsErrorReason, type DcsOutcome } from '../../src/dcs/index.ts';

export interface Subject {
  /** A client of its own, as another process would have. */
  readonly connect: () => Dcs;
  /** Forgets the history up to now. */
  readonly compact: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export const call = { timeoutMs: 5000 };
export const freshPrefix = (): string => `/contract/${randomUUID()}/`;

/** Rejects with exactly this outcome and reason. */
export async function assertDcsError(
  work: Promise<unknown>,
  outcome: DcsOutcome,
  reason?: DcsErrorReason,
): Promise<void> {
  await assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof DcsError, `not a DcsError: ${String(error)}`);
    assert.equal(error.outcome, outcome, error.message);
    if (reason !== undefined) assert.equal(error.reason, reason, error.message);
    return true;
  });
}

/** The store of a suite: opened before its first test, closed after its last. */
export class SuiteStore {
  #open: { readonly subject: Subject; readonly one: Dcs; readonly two: Dcs } | undefined = undefined;

  constructor(open: () => Promise<Subject>) {
    before(async () => {
      const subject = await open();
      this.#open = { subject, one: subject.connect(), two: subject.connect() };
    });
    after(async () => {
      await this.one.close();
      await this.two.close();
      await this.subject.close();
    });
  }

  get subject(): Subject {
    return this.#opened.subject;
  }

  get one(): Dcs {
    return this.#opened.one;
  }

  get two(): Dcs {
    return this.#opened.two;
  }

  /** Puts one key; its revision. */
  async put(key: string, value: string, lease?: string): Promise<number> {
    const write = lease === undefined ? { key, value } : { key, value, lease };
    const result = await this.one.transact({ when: [], then: [{ op: 'put', ...write }] }, call);
    return result.revision;
  }

  async remove(key: string): Promise<void> {
    await this.one.transact({ when: [], then: [{ op: 'delete', key }] }, call);
  }

  get #opened(): { readonly subject: Subject; readonly one: Dcs; readonly two: Dcs } {
    assert.ok(this.#open !== undefined, 'the store is opened before the first test');
    return this.#open;
  }
}
