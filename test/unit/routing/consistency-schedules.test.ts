/** Whether a server has what a session must see, in schedules by chance of a model of the cluster. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PositionBook, Seen } from '../../../src/routing/index.ts';
import { type Random, WalModel } from '../../support/wal-model.ts';

const everyone = () => true;

/** Mulberry32. */
function aRandom(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Reads that went back in time, and reads that were let through and were not the same server's as the last. */
function playSchedule(seed: number, isJudged: boolean) {
  const random = aRandom(seed);
  const model = new WalModel(random);
  const book = new PositionBook();
  const sessions = [0, 1].map(() => ({
    seen: new Seen(),
    must: new Set<number>(),
    links: new Map<string, number>(),
  }));
  let [wrong, moved] = [0, 0];
  for (let steps = 0; steps < 120; steps += 1) {
    model.step((member, position) => book.told(member, position));
    book.viewChanged(model.viewed, everyone);
    const { surviving } = model;
    const session = sessions[random(2)];
    const server = model.servers[random(3)];
    if (session === undefined || server === undefined) continue;
    for (const id of session.must) if (!surviving.has(id)) session.must.delete(id);
    if (random(8) === 0 && model.primary !== undefined) {
      const id = model.commit(true);
      if (id === undefined) continue;
      session.must.add(id);
      book.noteWrite(session.seen, model.primary.name, model.now);
      continue;
    }
    if (random(8) === 0 && model.primary !== undefined) {
      // It writes nothing, and is not judged.
      book.noteWrite(session.seen, model.primary.name, model.now);
      continue;
    }
    if (!server.isAlive || random(2) === 0) continue;
    let connectedAt = session.links.get(server.name) ?? 0;
    if (connectedAt <= server.startedAt) connectedAt = model.now;
    session.links.set(server.name, connectedAt);
    if (isJudged && book.judge(session.seen, server.name, connectedAt) !== 'met') continue;
    const shown = model.shown(server);
    for (const id of session.must) if (!shown.has(id)) wrong += 1;
    for (const id of shown) session.must.add(id);
    if (session.seen.last.member !== server.name) moved += 1;
    model.now += 1;
    book.noteRead(session.seen, server.name, model.now);
  }
  return { wrong, moved };
}

const play = (isJudged: boolean) =>
  Array.from({ length: isJudged ? 6000 : 20 }, (_, seed) => ({ seed, ...playSchedule(seed, isJudged) }));

describe('in schedules by chance, with late answers, standbys that start again, and failovers', () => {
  test('no session goes back in time, and many reads are let through', () => {
    const played = play(true);
    assert.deepEqual(
      played.filter(({ wrong }) => wrong > 0).map(({ seed }) => seed),
      [],
    );
    const moved = played.reduce((sum, one) => sum + one.moved, 0);
    assert.ok(moved > 6000, `only ${moved}`);
  });

  test('sessions do where nothing is judged', () => {
    assert.ok(play(false).some(({ wrong }) => wrong > 0));
  });
});
