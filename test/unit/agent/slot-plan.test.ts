/** What is done about the slots of a server: made, made anew, moved, dropped, and what is left alone. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { permanentSlots } from '../../../src/agent/permanent-slots.ts';
import { planSlots, type SlotFacts } from '../../../src/agent/slot-plan.ts';
import type { SlotStatus } from '../../../src/postgres/index.ts';

const MB = 1024 * 1024;

function aSlot(changes: Partial<SlotStatus> = {}): SlotStatus {
  return {
    name: 'beta',
    type: 'physical',
    active: false,
    restartLsn: 16 * MB,
    walStatus: 'reserved',
    holdsXmin: false,
    isFailover: false,
    ...changes,
  };
}

function facts(changes: Partial<SlotFacts> = {}): SlotFacts {
  return {
    as: 'standby',
    there: [aSlot()],
    wanted: new Map([['beta', 20 * MB]]),
    retained: new Set(['beta']),
    known: new Set(['beta']),
    unused: new Set(),
    logical: [],
    ownLsn: 100 * MB,
    ...changes,
  };
}

const NOTHING = { drop: [], remake: [], advance: [], logical: [], dropLogical: [] };
const toBeta = (lsn: number | undefined): SlotFacts['wanted'] => new Map([['beta', lsn]]);

test('nothing is done where all is there and nothing has moved by a file of WAL', () => {
  equal(planSlots(facts()), undefined);
  equal(planSlots(facts({ as: 'primary', wanted: toBeta(99 * MB) })), undefined);
});

test('a slot that is missing is made, on the leader and on a standby', () => {
  const made = { ensure: ['beta'], ...NOTHING };
  deepEqual(planSlots(facts({ there: [] })), made);
  deepEqual(planSlots(facts({ there: [], as: 'primary' })), made);
});

const moved = (changes: Partial<SlotFacts>) => planSlots(facts(changes))?.advance;

test('a standby moves a slot along, to where its user is and never beyond what it has replayed itself', () => {
  deepEqual(moved({ wanted: toBeta(90 * MB) }), [{ name: 'beta', lsn: 90 * MB }]);
  deepEqual(moved({ wanted: toBeta(90 * MB), ownLsn: 50 * MB }), [{ name: 'beta', lsn: 50 * MB }]);
  equal(moved({ wanted: toBeta(90 * MB), ownLsn: undefined }), undefined);
  equal(moved({ wanted: toBeta(undefined) }), undefined, 'where its user is is not known');
  equal(moved({ wanted: toBeta(1) }), undefined, 'never backwards');
  equal(moved({ wanted: toBeta(90 * MB), there: [aSlot({ active: true })] }), undefined, 'not one in use');
});

test('a primary moves only the slot of a member that streams from another standby', () => {
  const primary = { as: 'primary', wanted: toBeta(90 * MB) } as const;
  equal(moved(primary), undefined);
  deepEqual(moved({ ...primary, unused: new Set(['beta']) }), [{ name: 'beta', lsn: 90 * MB }]);
});

test('property: no slot is moved backwards, beyond its user, beyond the server, or on a primary where it is used', () => {
  const lsn = fc.integer({ min: 0, max: 1000 * MB });
  const maybe = fc.option(lsn, { nil: undefined });
  fc.assert(
    fc.property(
      lsn,
      maybe,
      maybe,
      fc.boolean(),
      fc.boolean(),
      (restartLsn, position, ownLsn, isPrimary, isUnused) => {
        const as = isPrimary ? 'primary' : 'standby';
        const there = [aSlot({ restartLsn })];
        const unused = new Set(isUnused ? ['beta'] : []);
        const plan = planSlots(facts({ as, there, wanted: toBeta(position), unused, ownLsn }));
        return (plan?.advance ?? []).every(
          ({ lsn: to }) =>
            (as === 'standby' || isUnused) &&
            to > restartLsn &&
            to <= (position ?? -1) &&
            to <= (ownLsn ?? -1),
        );
      },
    ),
  );
});

test('a slot that lost its WAL is dropped and made anew, unless it is in use', () => {
  const lost = { walStatus: 'lost', restartLsn: undefined };
  const anew = { ensure: ['beta'], ...NOTHING, remake: ['beta'] };
  deepEqual(planSlots(facts({ as: 'primary', there: [aSlot(lost)] })), anew);
  deepEqual(
    planSlots(facts({ there: [aSlot({ holdsXmin: true })] })),
    anew,
    'on a standby one that holds rows',
  );
  equal(planSlots(facts({ as: 'primary', there: [aSlot({ holdsXmin: true })] })), undefined);
  equal(planSlots(facts({ as: 'primary', there: [aSlot({ ...lost, active: true })] })), undefined);
});

test('the slot of a member that is gone for long is dropped; one of somebody else never', () => {
  const gone = { wanted: new Map<string, undefined>(), retained: new Set<string>() };
  deepEqual(planSlots(facts(gone)), { ensure: [], ...NOTHING, drop: ['beta'] });
  equal(planSlots(facts({ ...gone, retained: new Set(['beta']) })), undefined);
  equal(planSlots(facts({ ...gone, there: [aSlot({ name: 'backup', walStatus: 'lost' })] })), undefined);
  equal(planSlots(facts({ ...gone, there: [aSlot({ type: 'logical' })] })), undefined);
  equal(planSlots(facts({ ...gone, there: [aSlot({ active: true })] })), undefined);
});

test('a permanent logical slot is made on the leader, and its stale copy on a standby goes', () => {
  const cdc = { name: 'cdc', database: 'app', plugin: 'pgoutput' };
  const there = [aSlot(), aSlot({ name: 'cdc', type: 'logical' })];
  const logical = [cdc];
  deepEqual(planSlots(facts({ as: 'primary', logical }))?.logical, [cdc]);
  equal(planSlots(facts({ as: 'primary', logical, there })), undefined);
  equal(planSlots(facts({ logical })), undefined, 'none is made on a standby');
  deepEqual(planSlots(facts({ logical, there }))?.dropLogical, ['cdc']);
  const synced = [aSlot(), aSlot({ name: 'cdc', type: 'logical', isFailover: true })];
  equal(planSlots(facts({ logical, there: synced })), undefined, 'PostgreSQL carries it over itself');
});

test('permanent slots are read as Patroni writes them, and what is unreadable is told', () => {
  const slots = {
    backup: { type: 'physical' },
    plain: null,
    cdc: { type: 'logical', database: 'app', plugin: 'pgoutput' },
    alpha: { type: 'physical' },
    'Not A Name': { type: 'physical' },
    half: { type: 'logical', database: 'app' },
  };
  deepEqual(permanentSlots({ slots }, 'alpha'), {
    physical: ['backup', 'plain'],
    logical: [{ name: 'cdc', database: 'app', plugin: 'pgoutput' }],
    unreadable: ['Not A Name', 'half'],
  });
  deepEqual(permanentSlots({ permanent_slots: { a: { type: 'physical' } } }, 'x').physical, ['a']);
  deepEqual(permanentSlots({ permanent_replication_slots: { b: {} } }, 'x').physical, ['b']);
  deepEqual(permanentSlots({ slots: null }, 'x').physical, []);
});
