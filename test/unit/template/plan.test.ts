/**
 * The plan that keeps a file right, played against a model of the shell with a virtual clock: each fault that the world
 * can bring, and random mixtures of all of them.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Effect,
  initialState,
  type PlanEvent,
  type PlanState,
  type Settings,
  step,
  wakeAt,
} from '../../../src/template/apply/plan.ts';

const SETTINGS: Settings = {
  debounceMs: 200,
  maxWaitMs: 1_000,
  resyncMs: 600_000,
  retry: { firstMs: 1_000, maxMs: 60_000 },
  hasCheck: true,
  hasReload: true,
  isNoop: false,
};

/** What may go wrong next, by effect; each is used up once. */
type Faults = Partial<Record<Effect['do'], string[]>>;

/** A host: a store with one value, a file, a reader of the file, a note on disk, and effects that succeed unless told otherwise. */
class Host {
  readonly settings: Settings;
  readonly faults: Faults = {};
  now = 0;
  stored = 'v0';
  file = 'v0';
  reader = 'v0';
  note = false;
  state: PlanState;
  readonly log: string[] = [];
  #rendered = '';
  #staged: string | undefined;
  #isChecked = false;

  constructor(settings: Partial<Settings> = {}) {
    this.settings = { ...SETTINGS, ...settings };
    this.state = initialState({ isReloadOwed: false }, this.settings, this.now);
    this.say({ type: 'tick' });
  }

  say(event: PlanEvent): void {
    const { state, effects } = step(this.state, event, this.settings, { now: this.now, random: 0.5 });
    this.state = state;
    for (const effect of effects) this.#do(effect);
  }

  change(value: string): void {
    this.stored = value;
    this.say({ type: 'changed' });
  }

  /** Lets time pass, with a tick whenever one is wanted. */
  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const wake = wakeAt(this.state, this.settings);
      assert.ok(wake !== undefined, 'something is under way for ever');
      if (wake > end) break;
      this.now = Math.max(this.now, wake);
      this.say({ type: 'tick' });
    }
    this.now = end;
  }

  /** Our own end and a new start: only what is on disk is left. */
  restart(): void {
    this.#staged = undefined;
    this.state = initialState({ isReloadOwed: this.note }, this.settings, this.now);
    this.say({ type: 'tick' });
  }

  count(done: string): number {
    return this.log.filter((each) => each === done).length;
  }

  #do(effect: Effect): void {
    const fault = this.faults[effect.do]?.shift();
    this.log.push(fault === undefined ? effect.do : `${effect.do}: ${fault}`);
    if (fault === 'crash') return this.restart();
    if (fault !== undefined)
      return this.say({ type: 'failed', because: becauseOf(effect, fault), message: fault });
    switch (effect.do) {
      case 'render':
        this.#rendered = this.stored;
        return this.say({ type: 'rendered', revision: this.stored, isSame: this.#rendered === this.file });
      case 'stage':
        this.#staged = this.#rendered;
        this.#isChecked = false;
        break;
      case 'check':
        this.#isChecked = true;
        break;
      case 'rename':
        assert.ok(this.#staged !== undefined, 'renamed without a staged file');
        assert.ok(this.#isChecked || !this.settings.hasCheck, 'renamed without a check');
        assert.ok(this.note || !this.settings.hasReload, 'renamed without a note');
        this.file = this.#staged;
        this.#staged = undefined;
        break;
      case 'reload':
        this.reader = this.file;
        break;
      case 'note':
        this.note = effect.isReloadOwed;
        if (!effect.isReloadOwed) return;
        break;
      case 'discardStaged':
        this.#staged = undefined;
        return;
      case 'show':
        return;
    }
    this.say({ type: 'done' });
  }
}

function becauseOf(effect: Effect, fault: string): Extract<PlanEvent, { type: 'failed' }>['because'] {
  if (effect.do === 'render') return fault === 'too-few-keys' ? fault : 'snapshot-failed';
  if (effect.do === 'check' || effect.do === 'rename' || effect.do === 'reload' || effect.do === 'note')
    return `${effect.do}-failed`;
  return 'stage-failed';
}

test('a file that is right is left alone, and nothing is reloaded', () => {
  const host = new Host();
  host.pass(10_000);
  assert.deepEqual(host.log, ['render']);
  assert.equal(host.state.trouble, undefined);
});

test('a change goes the whole way: rendered, staged, checked, noted, renamed, reloaded', () => {
  const host = new Host();
  host.change('v1');
  host.pass(199);
  assert.deepEqual(host.log, ['render']);
  host.pass(1);
  assert.deepEqual(host.log, ['render', 'render', 'stage', 'check', 'note', 'rename', 'reload', 'note']);
  assert.deepEqual([host.file, host.reader, host.note], ['v1', 'v1', false]);
});

test('a thousand changes in a second are a handful of reloads, and the last is applied', () => {
  const host = new Host({ maxWaitMs: 300 });
  for (let change = 1; change <= 1000; change += 1) {
    host.change(`v${change}`);
    host.pass(1);
  }
  host.pass(1_000);
  assert.deepEqual([host.file, host.reader], ['v1000', 'v1000']);
  assert.ok(host.count('reload') <= 5, `${host.count('reload')} reloads`);
  assert.ok(host.count('reload') >= 2, 'changes that never pause must not be waited out for ever');
});

test('a change that comes in the middle of a work is kept', () => {
  const busy = step(idleState(), { type: 'tick' }, SETTINGS, { now: 0, random: 0 });
  assert.deepEqual(busy.effects, [{ do: 'render' }]);
  const told = step(busy.state, { type: 'changed' }, SETTINGS, { now: 5, random: 0 });
  assert.deepEqual(told.effects, []);
  const idle = step(told.state, { type: 'rendered', revision: '1', isSame: true }, SETTINGS, {
    now: 10,
    random: 0,
  });
  assert.deepEqual(idle.effects, []);
  assert.equal(wakeAt(idle.state, SETTINGS), 205);
  const again = step(idle.state, { type: 'tick' }, SETTINGS, { now: 205, random: 0 });
  assert.deepEqual(again.effects, [{ do: 'render' }]);
});

test('etcd gone in the middle of a read: the file stays, and is looked at again', () => {
  const host = new Host();
  host.faults.render = ['cut off'];
  host.change('v1');
  host.pass(300);
  assert.equal(host.file, 'v0');
  assert.equal(host.state.trouble?.because, 'snapshot-failed');
  host.pass(2_000);
  assert.deepEqual([host.file, host.reader, host.state.trouble], ['v1', 'v1', undefined]);
});

test('half a prefix deleted: the file stays until there is enough again', () => {
  const host = new Host();
  host.faults.render = ['too-few-keys', 'too-few-keys'];
  host.change('v1');
  host.pass(300);
  assert.equal(host.state.trouble?.because, 'too-few-keys');
  assert.equal(host.file, 'v0');
  host.pass(10_000);
  assert.equal(host.file, 'v1');
});

test('a check that fails leaves the file, removes what was staged, and is tried again later and later', () => {
  const host = new Host();
  host.faults.check = ['no', 'no', 'no'];
  host.change('v1');
  host.pass(300);
  assert.deepEqual(host.log.slice(1), ['render', 'stage', 'check: no', 'discardStaged']);
  assert.deepEqual([host.file, host.state.trouble?.because], ['v0', 'check-failed']);
  host.pass(30_000);
  assert.equal(host.count('reload'), 1);
  assert.deepEqual([host.file, host.reader], ['v1', 'v1']);
});

test('a change does not wait for the back-off of what failed before it', () => {
  const host = new Host({ retry: { firstMs: 100_000, maxMs: 100_000 } });
  host.faults.check = ['no'];
  host.change('bad');
  host.pass(300);
  host.change('good');
  host.pass(200);
  assert.equal(host.file, 'good');
});

test('a reload that fails three times and hangs once is made up for, without another rename', () => {
  const host = new Host();
  host.faults.reload = ['exit 1', 'exit 1', 'timed out', 'exit 1'];
  host.change('v1');
  host.pass(250);
  assert.deepEqual([host.file, host.reader, host.note], ['v1', 'v0', true]);
  assert.equal(host.state.trouble?.because, 'reload-failed');
  host.pass(60_000);
  assert.deepEqual([host.reader, host.note, host.state.trouble], ['v1', false, undefined]);
  assert.equal(host.count('rename'), 1);
});

test('a reload that is owed is made up for after a restart', () => {
  for (const crashAt of ['rename', 'reload'] as const) {
    const host = new Host();
    host.faults[crashAt] = ['crash'];
    host.change('v1');
    host.pass(5_000);
    assert.deepEqual([host.file, host.reader, host.note], ['v1', 'v1', false], crashAt);
  }
});

test('disk full at stage, and a destination that cannot be written: the file stays, and nothing is reloaded', () => {
  for (const [effect, because] of [
    ['stage', 'stage-failed'],
    ['rename', 'rename-failed'],
    ['note', 'note-failed'],
  ] as const) {
    const host = new Host();
    host.faults[effect] = ['no space left on device'];
    host.change('v1');
    host.pass(300);
    assert.deepEqual([host.file, host.state.trouble?.because], ['v0', because]);
    assert.equal(host.count('reload'), 0);
    assert.equal(host.log.at(-1), 'discardStaged');
    host.pass(5_000);
    assert.deepEqual([host.file, host.reader], ['v1', 'v1']);
  }
});

test('while the store is lost nothing is begun; when it is back everything is looked at', () => {
  const host = new Host();
  host.say({ type: 'storeLost' });
  host.change('v1');
  host.pass(10_000_000);
  assert.deepEqual([host.file, host.state.trouble?.because], ['v0', 'store-lost']);
  host.say({ type: 'storeBack' });
  host.pass(300);
  assert.deepEqual([host.file, host.state.trouble], ['v1', undefined]);
});

test('a change that nobody told is found at the next look', () => {
  const host = new Host();
  host.stored = 'v1';
  host.pass(SETTINGS.resyncMs);
  assert.equal(host.file, 'v1');
});

test('without commands a file is renamed, and no note is needed', () => {
  const host = new Host({ hasCheck: false, hasReload: false });
  host.change('v1');
  host.pass(300);
  assert.deepEqual(host.log.slice(1), ['render', 'stage', 'rename']);
});

test('asked to change nothing, it shows what would be', () => {
  const host = new Host({ isNoop: true });
  host.change('v1');
  host.pass(300);
  assert.deepEqual(host.log, ['render', 'render', 'show']);
  assert.equal(host.file, 'v0');
});

test('whatever happens in whatever order, the last state is applied and its reader knows it', () => {
  const effects = ['render', 'stage', 'check', 'note', 'rename', 'reload'] as const;
  const happening = fc.oneof(
    { weight: 6, arbitrary: fc.constant({ is: 'change' } as const) },
    {
      weight: 6,
      arbitrary: fc.record({ is: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 3_000 }) }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        is: fc.constant('fault' as const),
        effect: fc.constantFrom(...effects),
        fault: fc.constantFrom('fails', 'crash'),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ is: 'storeLost' } as const) },
    { weight: 1, arbitrary: fc.constant({ is: 'storeBack' } as const) },
    { weight: 1, arbitrary: fc.constant({ is: 'restart' } as const) },
  );
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 60 }), (happenings) => {
      const host = new Host();
      let version = 0;
      for (const event of happenings) {
        if (event.is === 'change') host.change(`v${(version += 1)}`);
        else if (event.is === 'pass') host.pass(event.ms);
        else if (event.is === 'fault') (host.faults[event.effect] ??= []).push(event.fault);
        else if (event.is === 'restart') host.restart();
        else host.say({ type: event.is });
      }
      host.say({ type: 'storeBack' });
      host.pass(24 * 3_600_000);
      assert.deepEqual([host.file, host.reader], [host.stored, host.stored]);
      assert.equal(host.state.trouble, undefined);
    }),
    { numRuns: 1_000 },
  );
});

function idleState(): PlanState {
  return initialState({ isReloadOwed: false }, SETTINGS, 0);
}
