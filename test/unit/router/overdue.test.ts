/** Which of a client's limits of time counts while: nobody is let go for waiting for the router. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { overdue, type TimeLimits } from '../../../src/router/overdue.ts';
import type { Classifier } from '../../../src/sql/index.ts';
import { Query } from '../../../src/wire/index.ts';
import { aClassifier, extended, SessionStage } from '../../support/router-session.ts';

const NONE: TimeLimits = {
  client_idle_timeout: 0,
  idle_transaction_timeout: 0,
  transaction_timeout: 0,
  query_timeout: 0,
};
const IDLE = { ...NONE, client_idle_timeout: 1000 };
const IN_TRANSACTION = { ...NONE, idle_transaction_timeout: 1000 };
const TRANSACTION = { ...NONE, transaction_timeout: 1000 };
const STATEMENT = { ...NONE, query_timeout: 1000 };
const ALL = {
  client_idle_timeout: 1000,
  idle_transaction_timeout: 1000,
  transaction_timeout: 1000,
  query_timeout: 1000,
};

/** With what SQLSTATE the client would be let go now. */
const verdict = ({ session, now }: SessionStage, limits: TimeLimits): string | undefined =>
  overdue(session.times, limits, now)?.code;

/** Its pool is full: what is borrowed comes when the test opens it. */
const sends = (stage: SessionStage, ...messages: Buffer[]) =>
  stage.session.receive(Buffer.concat(messages), stage.now);
const passes = (stage: SessionStage, ms: number) => {
  stage.now += ms;
  stage.session.tick(stage.now);
};

describe('limits of time', () => {
  let classifier: Classifier;
  before(async () => {
    classifier = await aClassifier();
  });
  const begun = () => new SessionStage(classifier).started();

  test('the first client of a database is not idle while it waits for the catalogue', () => {
    const stage = new SessionStage(classifier);
    stage.now = 60_000;
    assert.equal(verdict(stage, ALL), undefined);
    stage.started();
    assert.equal(verdict(stage, ALL), undefined);
    stage.after(1000);
    assert.equal(verdict(stage, IDLE), '57P05');
  });

  test('nor is a client whose login waits for a connection of a full pool', () => {
    const stage = new SessionStage(classifier);
    stage.session.start(stage.now);
    passes(stage, 5000);
    assert.equal(verdict(stage, ALL), undefined);
    stage.settle();
    assert.match(stage.take().join('\n'), /Ready I$/);
    assert.equal(verdict(stage, ALL), undefined);
    stage.after(1000);
    assert.equal(verdict(stage, IDLE), '57P05');
  });

  test('a client whose statement waits for a connection is not idle, and its statement does not run', () => {
    const stage = begun();
    passes(stage, 900);
    sends(stage, Query('INSERT INTO t VALUES (1)'));
    passes(stage, 5000);
    assert.equal(verdict(stage, ALL), undefined);
    stage.open();
    assert.equal(verdict(stage, ALL), undefined);
    stage.settle();
    assert.match(stage.take().join('\n'), /INSERT.*\n.*Ready I$/);
    passes(stage, 900);
    assert.equal(verdict(stage, ALL), undefined);
    passes(stage, 100);
    assert.equal(verdict(stage, IDLE), '57P05');
  });

  test('nor one that is held while there is no primary', () => {
    const stage = begun();
    stage.world.none = 'no-leader';
    stage.send(Query('INSERT INTO t VALUES (1)'));
    stage.after(5000);
    assert.equal(verdict(stage, ALL), undefined);
    stage.changeWorld((world) => {
      world.none = undefined;
    });
    assert.match(stage.take().join('\n'), /INSERT.*\n.*Ready I$/);
    assert.equal(verdict(stage, ALL), undefined);
  });

  test('a transaction that no server knows of is not idle, nor goes on, while its first statement waits', () => {
    const stage = begun();
    stage.send(Query('BEGIN'));
    passes(stage, 500);
    sends(stage, Query('INSERT INTO t VALUES (1)'));
    passes(stage, 5000);
    assert.equal(verdict(stage, ALL), undefined);
    stage.settle();
    assert.match(stage.take().join('\n'), /Ready T$/);
    assert.equal(verdict(stage, ALL), undefined);
    passes(stage, 500);
    assert.equal(verdict(stage, TRANSACTION), '25P04');
    assert.equal(verdict(stage, IN_TRANSACTION), undefined);
    passes(stage, 500);
    assert.equal(verdict(stage, IN_TRANSACTION), '25P03');
    assert.equal(verdict(stage, IDLE), undefined);
  });

  test('after a bare begin both limits of a transaction count', () => {
    const stage = begun();
    stage.send(Query('BEGIN')).after(1000);
    assert.equal(verdict(stage, IN_TRANSACTION), '25P03');
    assert.equal(verdict(stage, TRANSACTION), '25P04');
    assert.equal(verdict(stage, { ...IDLE, query_timeout: 1000 }), undefined);
  });

  test('a transaction that a server has begun goes on while it waits for the primary', () => {
    const stage = begun();
    stage.send(Query('BEGIN'), Query('INSERT INTO t VALUES (1)'));
    stage.world.none = 'dcs-contact-stale';
    stage.send(Query('INSERT INTO t VALUES (2)')).after(1000);
    assert.equal(verdict(stage, IN_TRANSACTION), undefined);
    assert.equal(verdict(stage, TRANSACTION), '25P04');
  });

  test('of a statement that is run again only the time at servers counts', () => {
    const stage = begun();
    sends(stage, Query('SELECT 1'));
    stage.open();
    passes(stage, 600);
    assert.equal(verdict(stage, STATEMENT), undefined);
    stage.free.length = 0;
    for (const link of stage.servers.keys()) if (link.member === 'n2') stage.break(link);
    passes(stage, 5000);
    assert.equal(verdict(stage, ALL), undefined);
    stage.open();
    passes(stage, 300);
    assert.equal(verdict(stage, STATEMENT), undefined);
    passes(stage, 100);
    assert.equal(verdict(stage, STATEMENT), '57014');
    // It is a transaction of its own.
    assert.equal(verdict(stage, TRANSACTION), '25P04');
  });

  test('a client that is heard is not idle, though it has not said anything whole', () => {
    const stage = begun();
    const bytes = Buffer.concat(extended('INSERT INTO t VALUES (1)'));
    for (const byte of bytes) {
      stage.after(900);
      assert.equal(verdict(stage, ALL), undefined);
      stage.send(Buffer.of(byte));
    }
    assert.match(stage.take().join('\n'), /Ready I$/);
  });

  test('a lost transaction is over when the client has rolled it back', () => {
    const stage = begun();
    stage.send(Query('BEGIN'), Query('INSERT INTO t VALUES (1)')).lose('n1');
    stage.send(Query('ROLLBACK'));
    assert.match(stage.take().join('\n'), /Ready I$/);
    stage.after(1000);
    assert.equal(verdict(stage, TRANSACTION), undefined);
    assert.equal(verdict(stage, IDLE), '57P05');
  });
});
