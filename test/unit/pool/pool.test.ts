/** A pool without sockets: who gets which connection, and when. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  Pool,
  type Poolable,
  type PoolLimits,
  type PoolRequest,
  type Seat,
} from '../../../src/pool/index.ts';

class Connection implements Poolable {
  readonly variant: string;
  seat: Seat | undefined = undefined;
  constructor(variant: string) {
    this.variant = variant;
  }
}

interface Client extends PoolRequest<Connection> {
  readonly name: string;
  has: Connection | undefined;
  gaveUp: boolean;
}

const LIMITS: PoolLimits = {
  size: 2,
  minSize: 0,
  reserveSize: 0,
  reserveAfterMs: 1000,
  waitMs: 5000,
  lifetimeMs: 60_000,
  idleMs: 10_000,
};

/** A pool, its clients by name, and what it asked of the world. */
class Stage {
  readonly opening: Client[] = [];
  readonly open = new Set<Connection>();
  readonly served: string[] = [];
  readonly pool: Pool<Connection, Client>;
  now = 0;
  room = Number.POSITIVE_INFINITY;

  constructor(limits: Partial<PoolLimits> = {}) {
    this.pool = new Pool<Connection, Client>({
      limits: () => ({ ...LIMITS, ...limits }),
      roomElsewhere: () => this.room,
      makeRoom: () => {
        this.room += 1;
        return true;
      },
      open: (client) => void this.opening.push(client),
      close: (connection) => void this.open.delete(connection),
      random: () => 0,
    });
  }

  client(name: string, variant = ''): Client {
    const client: Client = {
      name,
      variant,
      has: undefined,
      gaveUp: false,
      lent: (connection) => {
        client.has = connection;
        this.served.push(name);
      },
      waitedTooLong: () => {
        client.gaveUp = true;
      },
    };
    return client;
  }

  take(client: Client): void {
    const connection = this.pool.take(client, this.now);
    if (connection === undefined) return;
    client.has = connection;
    this.served.push(client.name);
  }

  giveBack(client: Client): void {
    const connection = client.has;
    client.has = undefined;
    if (connection !== undefined) this.pool.giveBack(connection, this.now);
  }

  /** The next connection that was asked for is open. */
  opened(): boolean {
    const client = this.opening.shift();
    if (client === undefined) return false;
    const connection = new Connection(client.variant);
    this.open.add(connection);
    this.pool.opened(connection, client, this.now);
    return true;
  }

  settle(): void {
    while (this.opened());
  }
}

describe('a pool', () => {
  test('shrinks to a limit that was lowered, whether anybody waits or not', () => {
    const limits = { size: 4 };
    const stage = new Stage(limits);
    const clients = ['a', 'b', 'c', 'd', 'e'].map((name) => stage.client(name));
    for (const client of clients) stage.take(client);
    stage.settle();
    limits.size = 2;
    const [first, second, third, fourth] = clients;
    assert(first !== undefined && second !== undefined && third !== undefined && fourth !== undefined);
    stage.giveBack(first);
    stage.giveBack(second);
    assert.deepEqual([stage.open.size, stage.served.includes('e')], [2, false]);
    stage.giveBack(third);
    assert.deepEqual([stage.open.size, stage.served.includes('e')], [2, true]);
    limits.size = 1;
    stage.giveBack(fourth);
    stage.pool.tick(stage.now);
    assert.equal(stage.open.size, 1);
  });

  test('opens as many as are wanted, up to its size, and serves first come first', () => {
    const stage = new Stage();
    const clients = ['a', 'b', 'c', 'd'].map((name) => stage.client(name));
    for (const client of clients) stage.take(client);
    stage.settle();
    const atFirst = [...stage.served];
    for (const client of clients) stage.giveBack(client);
    assert.deepEqual(
      { atFirst, served: stage.served, open: stage.open.size },
      {
        atFirst: ['a', 'b'],
        served: ['a', 'b', 'c', 'd'],
        open: 2,
      },
    );
  });

  test('tries ever more rarely to open what nobody waits for while that fails, and at once after a success', () => {
    const stage = new Stage({ minSize: 2 });
    const client = stage.client('first');
    let since = 0;
    stage.take(client);
    stage.settle();
    stage.giveBack(client);
    const rounds = (forMs: number): number[] => {
      const at: number[] = [];
      const end = stage.now + forMs;
      for (; stage.now < end; stage.now += 100) {
        stage.pool.tick(stage.now);
        if (stage.opening.length > 0) at.push(stage.now - since);
        for (const failed of stage.opening.splice(0)) stage.pool.openFailed(failed, stage.now);
      }
      return at;
    };
    stage.pool.reconnect();
    // Half of 100, 200, 400 ms … 15 s, since nothing is left to chance here; looked at each 100 ms.
    assert.deepEqual(
      rounds(60_000),
      [0, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 20_300, 27_800, 35_300, 42_800, 50_300, 57_800],
    );
    // Who waits does not wait for that.
    stage.take(client);
    stage.settle();
    assert.equal(client.has?.variant, '');
    since = stage.now;
    stage.giveBack(client);
    stage.pool.reconnect();
    assert.deepEqual(rounds(300), [0, 100, 200]);
  });

  test('nobody is served before who came earlier, though a connection is free for him', () => {
    const stage = new Stage({ size: 1 });
    const [holder, other, same] = [stage.client('holder'), stage.client('other', 'v2'), stage.client('same')];
    stage.take(holder);
    stage.settle();
    stage.take(other);
    stage.take(same);
    stage.giveBack(holder);
    stage.settle();
    assert.deepEqual([stage.served, stage.open.size], [['holder', 'other'], 1]);
    stage.giveBack(other);
    stage.settle();
    assert.deepEqual(stage.served, ['holder', 'other', 'same']);
  });

  test('whoever takes is served by what is returned or later, never from within, though the first in the queue has left', () => {
    const stage = new Stage({ size: 4 });
    const [a, b, first] = [stage.client('a'), stage.client('b'), stage.client('first', 'v2')];
    stage.take(a);
    stage.take(b);
    stage.settle();
    stage.giveBack(a);
    stage.giveBack(b);
    stage.take(first);
    const [second, third] = [stage.client('second'), stage.client('third')];
    stage.take(second);
    stage.pool.withdraw(first);
    const got = stage.pool.take(third, stage.now);
    assert.notEqual(got, undefined);
    assert.equal(third.has, undefined);
    assert.notEqual(second.has, undefined);
  });

  test('who does not want it any more is not served; the connection is the next one’s', () => {
    const stage = new Stage();
    const [a, b] = [stage.client('a'), stage.client('b')];
    stage.take(a);
    stage.pool.withdraw(a);
    stage.settle();
    stage.take(b);
    assert.deepEqual([stage.served, stage.open.size], [['b'], 1]);
  });

  test('who waits too long is told, and is not served later', () => {
    const stage = new Stage({ size: 1 });
    const [a, b] = [stage.client('a'), stage.client('b')];
    stage.take(a);
    stage.settle();
    stage.take(b);
    stage.now = 5000;
    stage.pool.tick(stage.now);
    stage.giveBack(a);
    assert.deepEqual([b.gaveUp, b.has, stage.pool.free], [true, undefined, 1]);
  });

  test('lends nothing while it is paused', () => {
    const stage = new Stage();
    const a = stage.client('a');
    stage.pool.pause(0);
    stage.take(a);
    stage.settle();
    assert.equal(a.has, undefined);
    stage.pool.resume(0);
    stage.settle();
    assert.ok(a.has !== undefined);
  });

  test('nobody has waited too long because of a pause, however long that takes', () => {
    const stage = new Stage({ size: 1 });
    const [a, b, c] = [stage.client('a'), stage.client('b'), stage.client('c')];
    stage.take(a);
    stage.settle();
    stage.take(b);
    stage.now = 3000;
    stage.pool.pause(stage.now);
    stage.take(c);
    stage.now = 60_000;
    stage.pool.pause(stage.now);
    stage.pool.tick(stage.now);
    assert.deepEqual([b.gaveUp, c.gaveUp], [false, false]);
    stage.pool.resume(stage.now);
    stage.now += 1999;
    stage.pool.tick(stage.now);
    assert.deepEqual([b.gaveUp, c.gaveUp], [false, false]);
    stage.now += 1;
    stage.pool.tick(stage.now);
    assert.deepEqual([b.gaveUp, c.gaveUp], [true, false]);
    stage.now += 3000;
    stage.pool.tick(stage.now);
    assert.deepEqual([b.gaveUp, c.gaveUp], [true, true]);
  });

  test('after a reconnect the old ones are closed as they come back', () => {
    const stage = new Stage();
    const [a, b] = [stage.client('a'), stage.client('b')];
    for (const client of [a, b]) stage.take(client);
    stage.settle();
    stage.giveBack(b);
    stage.pool.reconnect();
    assert.equal(stage.open.size, 1);
    stage.giveBack(a);
    assert.deepEqual([stage.open.size, stage.pool.size], [0, 0]);
  });

  test('a lifetime of 0 closes a connection after its first use', () => {
    const stage = new Stage({ lifetimeMs: 0 });
    const a = stage.client('a');
    stage.take(a);
    stage.settle();
    stage.giveBack(a);
    assert.equal(stage.open.size, 0);
  });

  test('a free connection elsewhere makes room under a common limit', () => {
    const stage = new Stage();
    stage.room = 0;
    const a = stage.client('a');
    stage.take(a);
    stage.settle();
    assert.ok(a.has !== undefined);
  });
});

test('whatever happens, a connection has one holder at most, the size is kept, and nobody waits beside a free one', () => {
  const someEvents = fc.array(fc.tuple(fc.nat(6), fc.nat(5)), { maxLength: 80 });
  fc.assert(
    fc.property(someEvents, (events) => {
      const stage = new Stage();
      const clients = ['a', 'b', 'c', 'd', 'e', 'f'].map((name, index) =>
        stage.client(name, index % 3 === 0 ? 'v' : ''),
      );
      const waiting = new Set<Client>();
      for (const [what, who] of events) {
        const client = clients[who];
        if (client === undefined) continue;
        const isBusy = client.has !== undefined || waiting.has(client);
        if (what <= 1 && !isBusy) {
          stage.take(client);
          waiting.add(client);
        } else if (what === 2) stage.giveBack(client);
        else if (what === 3) stage.opened();
        else if (what === 4 && waiting.delete(client)) stage.pool.withdraw(client);
        else if (what === 5 && client.has !== undefined) {
          stage.open.delete(client.has);
          stage.pool.remove(client.has, stage.now);
          client.has = undefined;
        } else if (what === 6) {
          const failed = stage.opening.shift();
          if (failed !== undefined) stage.pool.openFailed(failed, stage.now);
        }
        stage.now += 100;
        stage.pool.tick(stage.now);
        for (const one of clients) if (one.has !== undefined || one.gaveUp) waiting.delete(one);
        const held = clients.flatMap((one) => one.has ?? []);
        assert.equal(new Set(held).size, held.length);
        assert.ok(stage.pool.size <= LIMITS.size, `${stage.pool.size} connections`);
        assert.equal(stage.pool.lent, held.length);
        assert.ok(held.every((one) => stage.open.has(one)));
      }
      for (let round = 0; round < 20; round += 1) {
        stage.settle();
        for (const client of clients) stage.giveBack(client);
        stage.pool.tick(stage.now);
      }
      assert.equal(stage.pool.waiting, 0, 'everybody was served in the end');
    }),
  );
});
