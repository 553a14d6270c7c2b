/** Bad bytes: what is sent in a phase of the protocol, made from good bytes by mutation or out of nothing. */
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import fc from 'fast-check';
import { pause } from '../../src/base/index.ts';
import { CancelRequest, SSLRequest, StartupMessage } from '../../src/wire/index.ts';
import { WireClient, type WireLogin } from '../support/wire-client.ts';
import { conversations } from './generate.ts';
import { messageOf } from './steps.ts';

export interface Attack {
  readonly phase: 'startup' | 'authentication' | 'session';
  readonly bytes: Buffer;
  /** Where the bytes are cut into writes, in thousandths of them. */
  readonly cuts: readonly number[];
  /** How long to listen before the connection is dropped, without a goodbye. */
  readonly listensMs: number;
}

type Mutation =
  | { readonly kind: 'flip' | 'remove' | 'repeat'; readonly at: number; readonly length: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'length'; readonly at: number; readonly value: number };

const place = fc.nat({ max: 999 });
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('flip' as const, 'remove' as const, 'repeat' as const),
    at: place,
    length: fc.integer({ min: 1, max: 40 }),
  }),
  fc.record({
    kind: fc.constant('insert' as const),
    at: place,
    bytes: fc.uint8Array({ minLength: 1, maxLength: 60 }),
  }),
  fc.record({
    kind: fc.constant('length' as const),
    at: place,
    value: fc.constantFrom(0, 1, 3, 4, 5, -1, 2 ** 31 - 1, 2 ** 20, 8),
  }),
);

function mutated(good: Buffer, mutations: readonly Mutation[]): Buffer {
  let bytes: Buffer = Buffer.from(good);
  for (const each of mutations) {
    const at = Math.floor((each.at * bytes.length) / 1000);
    if (each.kind === 'insert') bytes = spliced(bytes, at, 0, Buffer.from(each.bytes));
    else if (each.kind === 'remove') bytes = spliced(bytes, at, each.length, Buffer.alloc(0));
    else if (each.kind === 'repeat')
      bytes = spliced(bytes, at, 0, Buffer.from(bytes.subarray(at, at + each.length)));
    else if (each.kind === 'length') {
      if (at + 4 <= bytes.length) bytes.writeInt32BE(each.value, at);
    } else {
      for (let index = at; index < Math.min(at + each.length, bytes.length); index += 1)
        bytes[index] = (bytes[index] ?? 0) ^ 0x55;
    }
  }
  return bytes;
}

function spliced(bytes: Buffer, at: number, removed: number, added: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]);
}

const noise = fc.uint8Array({ maxLength: 300, size: 'max' }).map((bytes) => Buffer.from(bytes));

const change = (good: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> =>
  fc
    .tuple(good, fc.array(mutation, { minLength: 1, maxLength: 4 }))
    .map(([bytes, mutations]) => mutated(bytes, mutations));

const startup = fc.oneof(
  noise,
  change(
    fc.constantFrom(
      StartupMessage([
        ['user', 'app'],
        ['database', 'app'],
      ]),
      SSLRequest(),
      CancelRequest(1, Buffer.alloc(4)),
    ),
  ),
);

const password = fc.oneof(
  noise,
  change(fc.constant(Buffer.from('p\0\0\0\x36SCRAM-SHA-256\0\0\0\0\x20n,,n=,r=rOprNGfwEbeRWgbNEkqO0123'))),
);

/** Conversations without statements that wait for long, or they would hold up the machine and prove nothing. */
const session = fc.oneof(
  noise,
  change(
    conversations(5).map(({ steps }) =>
      Buffer.concat(
        steps
          .filter((step) => !('sql' in step) || !step.sql.includes('pg_sleep'))
          .flatMap((step) => messageOf(step) ?? []),
      ),
    ),
  ),
);

const inPhase = (phase: Attack['phase'], bytes: fc.Arbitrary<Buffer>): fc.Arbitrary<Attack> =>
  fc.record({
    phase: fc.constant(phase),
    bytes,
    cuts: fc.array(place, { maxLength: 3 }),
    listensMs: fc.constantFrom(0, 5, 30, 150),
  });

export const attacks: fc.Arbitrary<Attack> = fc.oneof(
  { weight: 1, arbitrary: inPhase('startup', startup) },
  { weight: 1, arbitrary: inPhase('authentication', password) },
  { weight: 4, arbitrary: inPhase('session', session) },
);

export async function strike({ phase, bytes, cuts, listensMs }: Attack, login: WireLogin): Promise<void> {
  const pieces = inPieces(bytes, cuts);
  if (phase === 'session') {
    const client = await WireClient.connect(login);
    for (const piece of pieces) await client.sendRaw(piece);
    await client.closedWithin(listensMs);
    client.destroy();
    return;
  }
  const socket = connectTcp({ host: login.host, port: login.port });
  socket.on('error', () => undefined);
  socket.resume();
  const { user, database } = login;
  if (phase === 'authentication') socket.write(StartupMessage(Object.entries({ user, database })));
  for (const piece of pieces) {
    socket.write(piece);
    await pause(1);
  }
  if (listensMs > 0 && !socket.closed)
    await Promise.race([once(socket, 'close').catch(() => undefined), pause(listensMs)]);
  socket.destroy();
}

function inPieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [
    0,
    ...cuts.map((at) => Math.floor((at * bytes.length) / 1000)).toSorted((a, b) => a - b),
    bytes.length,
  ];
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
}
