/** When a connection whose statement was cancelled is fit for the next client: every way in which its cancels can end. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { CancelEnd } from '../../../src/router/cancel.ts';
import { Cancelling } from '../../../src/router/cancelling.ts';

interface Stage {
  readonly cancelling: Cancelling<string>;
  readonly link: string;
  /** Asks for a cancel; `said` gets the line that its asker is told so. */
  readonly ask: (name?: string) => void;
  /** Ends the oldest cancel that is on its way. */
  readonly end: (how: CancelEnd) => void;
  readonly sent: () => number;
  readonly said: string[];
}

function aStage(): Stage {
  const said: string[] = [];
  const ends: ((how: CancelEnd) => void)[] = [];
  let sent = 0;
  const cancelling = new Cancelling<string>({
    send: (_link, ended) => {
      sent += 1;
      ends.push(ended);
    },
    fit: () => said.push('fit'),
    unfit: () => said.push('unfit'),
  });
  const link = 'a connection';
  return {
    cancelling,
    link,
    ask: (name) => {
      cancelling.cancel(link, () => {
        if (name !== undefined) said.push(`${name} is told`);
      });
    },
    end: (how) => ends.shift()?.(how),
    sent: () => sent,
    said,
  };
}

test('a connection that comes back is kept until the server has passed the cancel on', () => {
  const { cancelling, link, ask, end, said } = aStage();
  ask();
  assert.equal(cancelling.keeps(link), true);
  assert.deepEqual(said, []);
  end('settled');
  assert.deepEqual(said, ['fit']);
  assert.equal(cancelling.keeps(link), false);
});

test('one whose cancel may still arrive is never lent again, whoever has it when that is known', () => {
  const back = aStage();
  back.ask();
  back.cancelling.keeps(back.link);
  back.end('in-doubt');
  assert.deepEqual(back.said, ['unfit']);

  const held = aStage();
  held.ask();
  held.end('in-doubt');
  assert.deepEqual(held.said, []);
  assert.equal(held.cancelling.keeps(held.link), true);
  assert.deepEqual(held.said, ['unfit']);
});

test('of several cancels the last one decides when, and any one in doubt decides what', () => {
  const { cancelling, link, ask, end, said } = aStage();
  ask();
  ask();
  cancelling.keeps(link);
  end('in-doubt');
  assert.deepEqual(said, []);
  end('settled');
  assert.deepEqual(said, ['unfit']);
});

test('a flood of cancels for one statement is a few', () => {
  const { ask, sent, end } = aStage();
  for (let count = 0; count < 1000; count += 1) ask();
  assert.equal(sent(), 4);
  end('settled');
  ask();
  assert.equal(sent(), 5);
});

test('a cancel that ends after its connection was closed changes nothing', () => {
  const { cancelling, link, ask, end, said } = aStage();
  ask();
  cancelling.keeps(link);
  cancelling.forget(link);
  end('in-doubt');
  assert.deepEqual(said, []);
  assert.equal(cancelling.keeps(link), false);
});

test('who asks for a cancel is told when none can hit the connection any more, also one that was dropped', () => {
  const { ask, end, sent, said } = aStage();
  for (const name of ['a', 'b', 'c', 'd', 'e']) ask(name);
  assert.equal(sent(), 4);
  for (let count = 0; count < 3; count += 1) end('settled');
  assert.deepEqual(said, []);
  end('in-doubt');
  assert.deepEqual(
    said,
    ['a', 'b', 'c', 'd', 'e'].map((name) => `${name} is told`),
  );
});

test('who asks for a cancel is told when its connection is closed', () => {
  const { cancelling, link, ask, end, said } = aStage();
  ask('a');
  cancelling.forget(link);
  assert.deepEqual(said, ['a is told']);
  end('settled');
  assert.deepEqual(said, ['a is told']);
});
