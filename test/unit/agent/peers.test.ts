/** What peers answer decides elections: their tags are read as Patroni does, and no answer can hurt the one who asked. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { PeerClient, readAnswer, standingOf } from '../../../src/agent/peers.ts';
import type { Member } from '../../../src/topology/index.ts';
import { freshLoopback } from '../../support/loopback.ts';
import { aMember, aView } from '../../support/members.ts';

test('a member tagged nofailover in any of its spellings takes no part in elections', () => {
  const values = [true, 'true', 'yes', 'on', 1, '1', false, 'no', 0, undefined];
  deepEqual(
    values.map((nofailover) => standingOf('alpha', { nofailover }, undefined).isNofailover),
    [true, true, true, true, true, true, false, false, false, false],
  );
});

/** A peer whose REST API answers with what `write` writes. */
async function aPeerThat(t: TestContext, write: (answer: ServerResponse) => void): Promise<Member> {
  const server = createServer((_, answer) => {
    answer.on('error', () => undefined);
    write(answer);
  });
  const host = freshLoopback();
  await new Promise<void>((resolve) => server.listen(8008, host, resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const member = aView({
    members: { beta: aMember({ name: 'beta', api_url: `http://${host}:8008/patroni` }) },
  }).members.get('beta');
  ok(member !== undefined);
  return member;
}

async function asked(t: TestContext, member: Member) {
  const client = new PeerClient({ tls: { rejectUnauthorized: true }, authorization: undefined });
  t.after(async () => await client.close());
  return await client.askOne(member);
}

test('a peer says its role, timeline and farthest position', async (t) => {
  const member = await aPeerThat(t, (answer) =>
    answer.end(
      '{"state":"running","role":"replica","timeline":3,"xlog":{"received_location":90,"replayed_location":80}}',
    ),
  );
  deepEqual(await asked(t, member), {
    name: 'beta',
    isNofailover: false,
    priority: 1,
    isSameCity: false,
    isRunning: true,
    role: 'standby',
    isHeldBack: false,
    timeline: 3,
    lsn: 90,
  });
});

test('a peer that has pledged, or may have, is held back: in words of Patroni or of our own', () => {
  const member = { name: 'beta', apiUrl: 'http://127.0.0.1:8008', tags: {} };
  const isHeldBack = (said: object): boolean | undefined => readAnswer(member, said, undefined)?.isHeldBack;
  equal(isHeldBack({ failsafe_mode_is_active: true }), true);
  equal(isHeldBack({ matriarch: { is_held_back: true } }), true);
  equal(isHeldBack({ matriarch: { action: 'wait' } }), false);
});

test('a peer whose answer is too long, and does not say how long, is cut off instead of read whole', async (t) => {
  const member = await aPeerThat(t, (answer) => {
    answer.write('{"state":"running","role":"replica"');
    answer.end(`${' '.repeat(300 * 1024)}}`);
  });
  equal(await asked(t, member), undefined);
});

test('a peer whose answer is not JSON gave no position', async (t) => {
  equal(await asked(t, await aPeerThat(t, (answer) => answer.end('<html>'))), undefined);
});
