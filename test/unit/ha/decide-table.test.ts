/**
 * The total table of `decide` over the coarse states: data directory x process x role x lock. Every combination has a
 * row here, so a state that nobody thought of cannot exist, and a changed decision shows as a changed line.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import {
  type DataDirectory,
  decide,
  type Lock,
  type ServerProcess,
  type ServerRole,
} from '../../../src/ha/index.ts';
import { aCluster, aLeader, aLocal, anObservation, NOW } from '../../support/observations.ts';

const LOCKS: Readonly<Record<string, Lock>> = {
  mine: { is: 'mine', deadline: NOW + 4000 },
  'mine, ending': { is: 'mine', deadline: NOW + 400 },
  named: { is: 'named' },
  lost: { is: 'lost' },
  other: { is: 'other', leader: 'beta' },
  none: { is: 'none' },
  'unknown, alive': { is: 'unknown', deadline: NOW + 4000 },
  'unknown, over': { is: 'unknown', deadline: NOW - 1 },
  unknown: { is: 'unknown', deadline: undefined },
};
const DATA: readonly DataDirectory[] = ['empty', 'half-made', 'unreadable', 'whole'];
const PROCESSES: readonly ServerProcess[] = ['stopped', 'starting', 'running', 'stopping'];
const ROLES: readonly ServerRole[] = ['primary', 'standby', 'unknown'];

/** Decisions for the locks in the order of LOCKS; a state without data has only stopped processes. */
const TABLE: Readonly<Record<string, readonly string[]>> = {
  'empty, stopped, unknown': [
    'release: leader-without-data',
    'release: leader-without-data',
    'release: leader-without-data',
    'wait: no-leader-to-clone-from',
    'clone: empty-data-directory',
    'wait: no-leader-to-clone-from',
    'wait: store-unreachable-empty',
    'wait: store-unreachable-empty',
    'wait: store-unreachable-empty',
  ],
  'half-made, stopped, unknown': [
    'release: leader-without-data',
    'release: leader-without-data',
    'release: leader-without-data',
    'wait: data-directory-half-made',
    'discard-data: data-directory-half-made',
    'wait: data-directory-half-made',
    'wait: data-directory-half-made',
    'wait: data-directory-half-made',
    'wait: data-directory-half-made',
  ],
  'unreadable, stopped, unknown': [
    'release: data-directory-unreadable',
    'release: data-directory-unreadable',
    'release: data-directory-unreadable',
    'wait: data-directory-unreadable',
    'wait: data-directory-unreadable',
    'wait: data-directory-unreadable',
    'wait: data-directory-unreadable',
    'wait: data-directory-unreadable',
    'wait: data-directory-unreadable',
  ],
  'whole, stopped, primary': [
    'ask-peers: positions-unknown',
    'ask-peers: positions-unknown',
    'acquire-leader: key-names-us',
    'start-standby: leader-unknown',
    'start-standby: leader-known',
    'start-standby: leader-unknown',
    'start-standby: store-unreachable-standby',
    'start-standby: store-unreachable-standby',
    'start-standby: store-unreachable-standby',
  ],
  'whole, stopped, standby': [
    'start-standby: leader-key-won',
    'start-standby: leader-key-won',
    'acquire-leader: key-names-us',
    'start-standby: leader-unknown',
    'start-standby: leader-known',
    'start-standby: leader-unknown',
    'start-standby: store-unreachable-standby',
    'start-standby: store-unreachable-standby',
    'start-standby: store-unreachable-standby',
  ],
  'whole, stopped, unknown': [
    'ask-peers: positions-unknown',
    'ask-peers: positions-unknown',
    'acquire-leader: key-names-us',
    'start-standby: leader-unknown',
    'start-standby: leader-known',
    'start-standby: leader-unknown',
    'start-standby: store-unreachable-standby',
    'start-standby: store-unreachable-standby',
    'start-standby: store-unreachable-standby',
  ],
  'whole, starting, primary': [
    'wait: server-changing-state',
    'demote: lease-running-out',
    'acquire-leader: key-names-us',
    'demote: lease-lost',
    'demote: leader-is-another',
    'acquire-leader: primary-without-leader-key',
    'wait: store-unreachable-lease-alive',
    'demote: lease-running-out',
    'demote: store-unreachable',
  ],
  'whole, starting, standby': [
    'wait: server-changing-state',
    'wait: server-changing-state',
    'wait: server-changing-state',
    'wait: server-changing-state',
    'wait: server-changing-state',
    'wait: server-changing-state',
    'wait: server-changing-state',
    'wait: server-changing-state',
    'wait: server-changing-state',
  ],
  'whole, starting, unknown': [
    'wait: server-changing-state',
    'wait: server-changing-state',
    'wait: server-changing-state',
    'wait: server-changing-state',
    'wait: server-changing-state',
    'wait: server-changing-state',
    'wait: server-changing-state',
    'wait: server-changing-state',
    'wait: server-changing-state',
  ],
  'whole, running, primary': [
    'lead: lease-held',
    'demote: lease-running-out',
    'acquire-leader: key-names-us',
    'demote: lease-lost',
    'demote: leader-is-another',
    'acquire-leader: primary-without-leader-key',
    'wait: store-unreachable-lease-alive',
    'demote: lease-running-out',
    'demote: store-unreachable',
  ],
  'whole, running, standby': [
    'promote: leader-key-won',
    'wait: lease-too-short',
    'acquire-leader: key-names-us',
    'ask-peers: positions-unknown',
    'wait: following',
    'ask-peers: positions-unknown',
    'wait: store-unreachable-standby',
    'wait: store-unreachable-standby',
    'wait: store-unreachable-standby',
  ],
  'whole, running, unknown': [
    'wait: server-changing-state',
    'demote: lease-running-out',
    'acquire-leader: key-names-us',
    'demote: lease-lost',
    'demote: leader-is-another',
    'acquire-leader: primary-without-leader-key',
    'wait: store-unreachable-lease-alive',
    'demote: lease-running-out',
    'demote: store-unreachable',
  ],
  'whole, stopping, primary': [
    'wait: server-changing-state',
    'demote: lease-running-out',
    'acquire-leader: key-names-us',
    'demote: lease-lost',
    'demote: leader-is-another',
    'demote: server-changing-state',
    'wait: store-unreachable-lease-alive',
    'demote: lease-running-out',
    'demote: store-unreachable',
  ],
  'whole, stopping, standby': [
    'wait: server-changing-state',
    'wait: server-changing-state',
    'wait: server-changing-state',
    'wait: server-changing-state',
    'wait: server-changing-state',
    'wait: server-changing-state',
    'wait: server-changing-state',
    'wait: server-changing-state',
    'wait: server-changing-state',
  ],
  'whole, stopping, unknown': [
    'wait: server-changing-state',
    'demote: lease-running-out',
    'acquire-leader: key-names-us',
    'demote: lease-lost',
    'demote: leader-is-another',
    'demote: server-changing-state',
    'wait: store-unreachable-lease-alive',
    'demote: lease-running-out',
    'demote: store-unreachable',
  ],
};

test('every combination of data directory, process, role and lock has its decision', () => {
  const seen: Record<string, string[]> = {};
  for (const data of DATA) {
    for (const process of data === 'whole' ? PROCESSES : PROCESSES.slice(0, 1)) {
      for (const role of data === 'whole' ? ROLES : ROLES.slice(2)) {
        seen[`${data}, ${process}, ${role}`] = Object.values(LOCKS).map((lock) => {
          const cluster = aCluster(lock.is === 'other' ? { leader: aLeader() } : { leader: undefined });
          const local = aLocal({ data, process, role, streaming: process === 'running' });
          const { action, because } = decide(anObservation({ local, lock, cluster }));
          return `${action.do}: ${because}`;
        });
      }
    }
  }
  deepEqual(seen, TABLE);
  equal(Object.keys(TABLE).length * Object.keys(LOCKS).length, 15 * 9);
});
