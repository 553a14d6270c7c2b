/**
 * Three real agents over real etcd and real PostgreSQL, through the failures that the design is for. The tests share one
 * cluster and run in order; each begins and ends with a whole one (a leader and two streaming standbys).
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { isRecord, pause, silentLog, systemClock } from '../../src/base/index.ts';
import { connectEtcd, type Dcs } from '../../src/dcs/index.ts';
import { keyLayout } from '../../src/topology/index.ts';
import { type Host, sharedLogs, someHosts } from '../support/agents.ts';
import { startEtcd } from '../support/etcd.ts';
import { eventually } from '../support/eventually.ts';

const layout = keyLayout('/service/', 'herd');
const call = { timeoutMs: 2000 };
const LIMIT = { timeout: 60_000 };

interface Scope {
  readonly after: (end: () => Promise<void>) => void;
}

interface Shape {
  readonly leader: string | undefined;
  readonly streaming: readonly string[];
  readonly timeline: number;
}

describe('three agents', () => {
  const ends: (() => Promise<void>)[] = [];
  const scope: Scope = { after: (end) => void ends.push(end) };
  let hosts: readonly Host[] = [];
  let dcs: Dcs;
  const { watched, showLogs } = sharedLogs(() => hosts);

  before(async () => {
    const etcd = await startEtcd(scope);
    dcs = connectEtcd(
      { endpoints: etcd.urls, request_timeout: 2000 },
      { clock: systemClock, log: silentLog },
    );
    hosts = await someHosts(scope, {
      names: ['alpha', 'beta', 'gamma'],
      etcd: etcd.urls,
      synchronous: true,
    });
    for (const host of hosts) host.start();
  });

  after(async () => {
    await showLogs();
    await dcs.close();
    for (const end of ends.reverse()) await end();
  });

  /** The key `sync` comes to say so. */
  const promised = async (expected: Readonly<Record<string, unknown>>): Promise<void> => {
    await eventually(
      'the key sync is as it should be',
      async () => (await dcs.get(layout.sync, call))?.value ?? '',
      { holds: (text) => text === JSON.stringify(expected), withinMs: 10_000 },
    );
  };

  it(
    'a race of three makes exactly one leader and two streaming standbys',
    LIMIT,
    watched(async () => {
      const shape = await whole(45_000);
      equal(shape.timeline, 1);
      const codes = await Promise.all(
        hosts.map(async (host) => [
          (await host.rest('/primary')).status,
          (await host.rest('/replica')).status,
        ]),
      );
      deepEqual(codes.map(String).sort(), ['200,503', '503,200', '503,200']);
      const systemId = (await dcs.get(layout.initialize, call))?.value ?? '';
      ok(/^\d{10,}$/.test(systemId), systemId);
      equal((await dcs.get(layout.leader, call))?.value, shape.leader);
      const credential: unknown = JSON.parse((await dcs.get(layout.routerCredential, call))?.value ?? '{}');
      ok(typeof credential === 'object' && credential !== null && 'password' in credential);
      await promised({
        leader: shape.leader,
        quorum: 1,
        sync_standby: [...shape.streaming].sort().join(','),
      });
    }),
  );

  it(
    'a switchover request moves leadership to the candidate and loses nothing',
    LIMIT,
    watched(async () => {
      const { leader, streaming, timeline } = await whole();
      const candidate = streaming[1] ?? '';
      const writer = await Writer.start(hosts, scope);
      const askedAt = performance.now();
      const value = JSON.stringify({ leader, member: candidate });
      await dcs.transact({ when: [], then: [{ op: 'put', key: layout.failover, value }] }, call);
      await eventually(
        'the candidate serves writes',
        () =>
          hostOf(candidate)
            .rest('/primary')
            .catch(() => undefined),
        {
          holds: (answer) => answer?.status === 200,
          withinMs: 10_000,
        },
      );
      process.stdout.write(`# switchover took ${Math.round(performance.now() - askedAt)} ms\n`);
      const shape = await whole();
      deepEqual([shape.leader, shape.timeline], [candidate, timeline + 1]);
      await writer.verify(hostOf(candidate));
      equal((await dcs.get(layout.failover, call))?.value, '{}');
    }),
  );

  it(
    'a postmaster killed under a live agent: a standby takes over at once, the member rejoins',
    LIMIT,
    watched(async () => {
      const { leader, streaming, timeline } = await whole();
      const host = hostOf(leader);
      // Right after a promotion only the leader is known to have everything, and starts again in its place.
      await promised({ leader, quorum: 1, sync_standby: [...streaming].sort().join(',') });
      const killedAt = performance.now();
      process.kill((await host.postmasterPid()) ?? 0, 'SIGKILL');
      await eventually('another member serves writes', primaries, {
        holds: (names) => names.length > 0 && !names.includes(host.name),
        withinMs: 8000,
      });
      process.stdout.write(
        `# postmaster killed: writable again after ${Math.round(performance.now() - killedAt)} ms\n`,
      );
      equal((await whole()).timeline, timeline + 1);
    }),
  );

  it(
    'a dead host: a standby serves writes within 8 s, and the host rejoins by rewind when it returns',
    LIMIT,
    watched(async () => {
      const { leader } = await whole();
      const host = hostOf(leader);
      const writer = await Writer.start(hosts, scope);
      const killedAt = performance.now();
      await host.kill();
      const [next = ''] = await eventually('another member serves writes', primaries, {
        holds: (names) => names.length > 0,
        withinMs: 12_000,
      });
      const tookMs = performance.now() - killedAt;
      process.stdout.write(`# host killed: writable again after ${Math.round(tookMs)} ms\n`);
      ok(tookMs < 8000, `${tookMs} ms`);
      const left = hosts.map(({ name }) => name).filter((name) => name !== next && name !== host.name);
      await promised({ leader: next, quorum: 0, sync_standby: left.join(',') });
      host.start();
      await whole();
      ok((await host.log()).includes('rewind-ended'));
      await writer.verify(hostOf(next));
    }),
  );

  it(
    'a frozen agent: its fence stops PostgreSQL before the lease ends, so two servers never acknowledge writes',
    LIMIT,
    watched(async () => {
      const { leader } = await whole();
      const frozen = hostOf(leader);
      const probers = await Promise.all(hosts.map((host) => Prober.start(host, scope)));
      const frozenAt = performance.now();
      frozen.signal('SIGSTOP');
      await eventually(
        'another member serves writes',
        () => probers.filter((prober) => prober.host !== frozen && prober.firstAckAt > 0).length,
        {
          holds: (count) => count > 0,
          withinMs: 12_000,
        },
      );
      await pause(500);
      frozen.signal('SIGCONT');
      await whole();
      for (const prober of probers) await prober.stop();
      const lastOfOld = probers.find((prober) => prober.host === frozen)?.lastAckBefore ?? Number.NaN;
      const firstOfNew = Math.min(
        ...probers
          .filter((prober) => prober.host !== frozen && prober.firstAckAt > 0)
          .map((prober) => prober.firstAckAt),
      );
      process.stdout.write(
        `# frozen agent: last write ${Math.round(lastOfOld - frozenAt)} ms, next writer ${Math.round(firstOfNew - frozenAt)} ms after SIGSTOP\n`,
      );
      ok(lastOfOld < firstOfNew, `${lastOfOld} must be before ${firstOfNew}`);
      ok((await frozen.log()).includes('fence-strikes'));
    }),
  );

  it(
    'an agent that is told to stop leaves in order and another leads without waiting for the lease',
    LIMIT,
    watched(async () => {
      const { leader, streaming } = await whole();
      const host = hostOf(leader);
      await promised({ leader, quorum: 1, sync_standby: [...streaming].sort().join(',') });
      const askedAt = performance.now();
      const stopping = host.stop();
      const [next] = await eventually('another member serves writes', primaries, {
        holds: (names) => names.some((name) => name !== leader),
        withinMs: 8000,
      });
      process.stdout.write(
        `# orderly stop: writable again after ${Math.round(performance.now() - askedAt)} ms\n`,
      );
      equal(await stopping, 0);
      deepEqual(await host.serverPids(), []);
      // The key was deleted by who held it, once another had said that it has everything; no lease ran out.
      const left = await lastEvent(host, 'leaving-as-leader');
      ok(streaming.includes(String(left['confirmedBy'])), JSON.stringify(left));
      const released = await lastEvent(host, 'leader-key-released');
      const acquired = await lastEvent(hostOf(next), 'leader-key-acquired');
      ok(Number(acquired['revision']) > Number(released['revision']), JSON.stringify({ released, acquired }));
      host.start();
      await whole();
    }),
  );

  const hostOf = (name: string | undefined): Host => {
    const found = hosts.find((host) => host.name === name);
    ok(found !== undefined, `no host ${name}`);
    return found;
  };

  const primaries = async (): Promise<readonly string[]> => {
    const answers = await Promise.all(
      hosts.map(async (host) =>
        (await host.rest('/primary').catch(() => undefined))?.status === 200 ? host.name : '',
      ),
    );
    return answers.filter((name) => name !== '');
  };

  const shapeNow = async (): Promise<Shape> => {
    const answers = await Promise.all(
      hosts.map(async (host) => ({ host, body: (await host.rest('/patroni').catch(() => undefined))?.body })),
    );
    const leaders = answers.filter(({ body }) => body?.['role'] === 'primary' && body['state'] === 'running');
    const timeline = Number(leaders[0]?.body?.['timeline'] ?? 0);
    const streaming = answers.filter(
      ({ body }) => body?.['replication_state'] === 'streaming' && body['timeline'] === timeline,
    );
    return {
      leader: leaders.length === 1 ? leaders[0]?.host.name : undefined,
      streaming: streaming.map(({ host }) => host.name),
      timeline,
    };
  };

  const whole = (withinMs = 30_000): Promise<Shape> =>
    eventually('one leader and two streaming standbys', shapeNow, {
      holds: (shape) => shape.leader !== undefined && shape.streaming.length === 2,
      withinMs,
    });
});

/** What a host's agent logged last under this name. */
async function lastEvent(host: Host, event: string): Promise<Readonly<Record<string, unknown>>> {
  const line = (await host.log()).split('\n').findLast((text) => text.includes(`"${event}"`));
  const entry: unknown = JSON.parse(line ?? 'null');
  ok(isRecord(entry), `${host.name} has not logged ${event}`);
  return entry;
}

/** Writes rows to whichever server takes them and remembers each that was acknowledged. */
class Writer {
  readonly #hosts: readonly Host[];
  readonly #table: string;
  readonly #acknowledged: number[] = [];
  #isStopped = false;
  #done: Promise<void> = Promise.resolve();

  private constructor(hosts: readonly Host[], table: string) {
    this.#hosts = hosts;
    this.#table = table;
  }

  static async start(hosts: readonly Host[], scope: Scope): Promise<Writer> {
    const writer = new Writer(hosts, `written_${Math.round(performance.now())}`);
    for (const host of hosts) await host.sql(`CREATE TABLE ${writer.#table} (id int)`).catch(() => undefined);
    writer.#done = writer.#run();
    scope.after(() => writer.#stop());
    await eventually('writes are acknowledged', () => writer.#acknowledged.length, {
      holds: (count) => count > 20,
      withinMs: 5000,
    });
    return writer;
  }

  async #run(): Promise<void> {
    let id = 0;
    while (!this.#isStopped) {
      for (const host of this.#hosts) {
        const client = await host.connect().catch(() => undefined);
        try {
          if (client === undefined) continue;
          while (!this.#isStopped) {
            id += 1;
            await client.query(`INSERT INTO ${this.#table} VALUES (${id})`);
            this.#acknowledged.push(id);
            await pause(5);
          }
        } catch {
          // Not a primary, or not any more: the next server is tried.
          continue;
        } finally {
          await client?.end().catch(() => undefined);
        }
      }
      await pause(20);
    }
  }

  async #stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  /** Every acknowledged row is on `host`. */
  async verify(host: Host): Promise<void> {
    await this.#stop();
    const rows = await host.sql(`SELECT id FROM ${this.#table}`);
    const there = new Set(rows.map((row) => row['id']));
    const lost = this.#acknowledged.filter((id) => !there.has(id));
    ok(this.#acknowledged.length > 0);
    deepEqual(lost, []);
  }
}

/** Tries to write to one server directly every 20 ms and notes when that was acknowledged. */
class Prober {
  readonly host: Host;
  /** First acknowledged write since the first refusal or since the start on a standby; 0 = none. */
  firstAckAt = 0;
  /** Last acknowledged write before the server first failed. */
  lastAckBefore = 0;
  #isStopped = false;
  #hasFailed = false;
  #done: Promise<void> = Promise.resolve();

  private constructor(host: Host) {
    this.host = host;
  }

  static async start(host: Host, scope: Scope): Promise<Prober> {
    await host.sql('CREATE TABLE IF NOT EXISTS probe (at float)').catch(() => undefined);
    const prober = new Prober(host);
    prober.#done = prober.#run();
    scope.after(() => prober.stop());
    return prober;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    let client = await this.host.connect().catch(() => undefined);
    while (!this.#isStopped) {
      try {
        client ??= await this.host.connect();
        await client.query('INSERT INTO probe VALUES (1)');
        const now = performance.now();
        if (!this.#hasFailed) this.lastAckBefore = now;
        else if (this.firstAckAt === 0) this.firstAckAt = now;
      } catch (cause) {
        this.#hasFailed = true;
        if (!(cause instanceof Error && 'code' in cause && cause.code === '25006')) {
          await client?.end().catch(() => undefined);
          client = undefined;
        }
      }
      await pause(20);
    }
    await client?.end().catch(() => undefined);
  }
}
